"""Nodes on a fake LAN, under a clock that jumps. Adverts every 100 ms; priorities 200 and 100 unless said otherwise.

Active_Down_Interval is 0.321875 s with priority 200 and 0.3609375 s with 100; Skew_Time 0.0609375 s with 100. The LAN
takes 1 ms, the kernel 0.5 ms for an address, the liveness link 2 ms.
"""

from ipaddress import IPv4Interface

import pytest
import trio

from vrrp.config import VirtualRouterConfig
from vrrp.runner import Runner
from vrrp.testing import FakeLan, FakeNode
from vrrp.testing_link import FakeLink


class Machine:
    """A node and what was seen of its virtual routers."""

    def __init__(self, node, *configs, **options):
        self.node = node
        self.history = []
        self.runner = Runner(configs, ports=node.ports, observe=self._observe, **options)
        self.scope = trio.CancelScope()

    def _observe(self, snapshot):
        self.history.append((round(trio.current_time(), 6), snapshot))

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        with self.scope:
            await self.runner.run(task_status=task_status)

    def crash(self):
        """SIGKILL; returns when."""
        self.node.crash()
        self.scope.cancel()
        return trio.current_time()

    @property
    def router(self):
        return self.runner.snapshot()[0]

    @property
    def state(self):
        return self.router.state

    @property
    def states(self):
        return [router.state for router in self.runner.snapshot()]

    @property
    def vips(self):
        return [str(address) for address in self.node.vips.held()]

    def transitions(self, name="lan"):
        seen = []
        for at, snapshot in self.history:
            if snapshot.name == name and (not seen or seen[-1][1] != snapshot.state):
                seen.append((at, snapshot.state))
        return seen

    def entered(self, state, name="lan"):
        return [at for at, entered in self.transitions(name) if entered == state][-1]


@pytest.fixture
def config():
    def make(**changes):
        values = {
            "name": "lan",
            "vrid": 51,
            "interface": "eth0",
            "addresses": (IPv4Interface("192.0.2.10/24"),),
            "advertisement_interval_cs": 10,
        }
        return VirtualRouterConfig(**(values | changes))

    return make


@pytest.fixture
def lan():
    return FakeLan()


@pytest.fixture
def machine(lan):
    """`machine("a", "192.0.2.1/24", config(...))`; with a node that is there already `machine(node, config(...))`."""

    def make(name, *others, **options):
        if isinstance(name, FakeNode):
            return Machine(name, *others, **options)
        address, *configs = others
        return Machine(FakeNode(lan, name, address), *configs, **options)

    return make


@pytest.fixture
async def start(nursery):
    async def start(*machines):
        for machine in machines:
            await nursery.start(machine.run)

    yield start
    nursery.cancel_scope.cancel()


@pytest.fixture
async def pair(start, machine, config):
    """A is Active with priority 200, B is Backup with 100, for two seconds."""
    a = machine("a", "192.0.2.1/24", config(priority=200))
    b = machine("b", "192.0.2.2/24", config(priority=100))
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    return a, b


@pytest.fixture
def joined(lan, machine, nursery):
    """`joined(config_of_a, config_of_b)`: two machines, not started, with a liveness link. `records`: one for each."""

    def make(one, other, *, records=(None, None)):
        a, b = FakeNode(lan, "a", "192.0.2.1/24"), FakeNode(lan, "b", "192.0.2.2/24")
        link = FakeLink(a, b)
        machines = (
            machine(a, one, peer=link.end(a), record=records[0]),
            machine(b, other, peer=link.end(b), record=records[1]),
        )
        link.join(*(each.runner for each in machines))
        nursery.start_soon(link.run)
        return (*machines, link)

    return make


@pytest.fixture
async def linked(start, joined, config):
    """`pair`, and the liveness link between them."""
    a, b, link = joined(config(priority=200, rivals=1), config(priority=100, rivals=1))
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    return a, b, link


@pytest.fixture
def sent(lan):
    """`sent("a", since)`: the priorities in what a machine has advertised since then."""

    def of(name, since=0.0):
        return [payload[2] for at, sender, payload in lan.packets if sender == name and at >= since]

    return of


@pytest.fixture
def stranger(lan):
    """`stranger(hex, source=..., destination=..., ttl=...)`: a machine that sends what it likes."""
    node = FakeNode(lan, "x", None)

    def send(text, *, source="192.0.2.66", destination="224.0.0.18", ttl=255):
        node.send(bytes.fromhex(text), source, destination, ttl=ttl)

    return send
