"""A pair furnished in the lab: two nodes with a VIP, web servers behind them, and a client that measures."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from hapair.lab.host import Host
from hapair.lab.network import Lab
from hapair.lab.plan import Plan
from hapair.lab.programs import NodeProgram
from hapair.lab.records import Record, decode

VIP = "192.168.1.100"
NODES = {"pi-a": "192.168.1.11", "pi-b": "192.168.1.12"}
PRIORITIES = {"pi-a": 200, "pi-b": 100}
SERVERS = {"web1": "192.168.1.21", "web2": "192.168.1.22", "web3": "192.168.1.23"}
CLIENT = "192.168.1.50"
SERVER_PORT = 8080
PATIENCE_S = 60.0
"""For what takes some seconds on a machine that has nothing else to do."""
PLAN = Plan(
    nodes=NODES,
    priorities=PRIORITIES,
    servers={name: f"{address}:{SERVER_PORT}" for name, address in SERVERS.items()},
    vip=VIP,
)


class SetupError(Exception):
    """The lab did not come up; the text is for the person who started it."""


@dataclass(slots=True)
class Measurement:
    """What the client has recorded so far."""

    records: list[Record] = field(default_factory=list)
    _more: trio.Event = field(default_factory=trio.Event)

    async def follow(self, lines: trio.abc.ReceiveStream) -> None:
        """Take in the client's lines until it ends."""
        rest = b""
        async for data in lines:
            *whole, rest = (rest + data).split(b"\n")
            self.records += map(decode, whole)
            self._more.set()
            self._more = trio.Event()

    async def answering(self, *, in_a_row: int = 50, within_s: float = PATIENCE_S) -> bool:
        """Wait until that many requests in a row have succeeded; False where that takes too long."""
        first = len(self.records)
        with trio.move_on_after(within_s):
            while len(self.records) < first + in_a_row or not all(one.ok for one in self.records[-in_a_row:]):
                await self._more.wait()
            return True
        return False


@dataclass(frozen=True, slots=True)
class Pair:
    """Two nodes and what stands around them."""

    plan: Plan
    program: NodeProgram
    nodes: dict[str, Host]
    servers: dict[str, Host]
    client: Host

    def holders(self) -> list[str]:
        """The nodes whose kernel holds the VIP."""
        return [name for name, node in self.nodes.items() if node.addresses.holds(self.plan.vip)]

    def peer_of(self, name: str) -> Host:
        return next(node for other, node in self.nodes.items() if other != name)

    async def start(self, name: str) -> None:
        """Start the program on a node."""
        await self.program.start(self.nodes[name], self.plan)

    async def settled(self, holder: str, *, within_s: float = PATIENCE_S, for_s: float = 0.5) -> bool:
        """Wait until `holder`, and nobody else, has held the VIP for a while; False where that takes too long."""
        with trio.move_on_after(within_s):
            while True:
                await self._held_by(holder)
                with trio.move_on_after(for_s) as steady:
                    await self.changed()
                if steady.cancelled_caught:
                    return True
        return False

    async def ready(self, *, within_s: float = PATIENCE_S) -> bool:
        """Wait until every node takes part; False where that takes too long."""
        with trio.move_on_after(within_s):
            for node in self.nodes.values():
                while not await self.program.ready(node):  # noqa: ASYNC110 - a node tells those who ask
                    await trio.sleep(0.1)
            return True
        return False

    async def _held_by(self, holder: str) -> None:
        while self.holders() != [holder]:
            await self.changed()

    async def changed(self) -> None:
        """Wait until an address of either node comes or goes, from the moment of the call on."""
        changes = [node.addresses.next_change for node in self.nodes.values()]  # before any checkpoint, to miss none
        async with trio.open_nursery() as nursery:

            async def one(change: trio.Event) -> None:
                await change.wait()
                nursery.cancel_scope.cancel()

            for change in changes:
                nursery.start_soon(one, change)


async def furnish(lab: Lab, program: NodeProgram, *, plan: Plan = PLAN) -> Pair:
    """Hosts for a pair, with the web servers running; its nodes are not started."""
    servers = {name: await lab.host(name, address) for name, address in SERVERS.items()}
    for host in servers.values():
        await start_web_server(host)
    nodes = {name: await lab.host(name, address) for name, address in NODES.items()}
    return Pair(plan, program, nodes, servers, await lab.host("client", CLIENT))


async def start_web_server(host: Host) -> None:
    """Start a web server on a host and wait until it listens. Raises SetupError."""
    argv = [sys.executable, "-m", "hapair.lab.webserver", host.name, str(SERVER_PORT)]
    server = await host.start(argv, log="web.log", stdout=subprocess.PIPE)
    assert server.stdout is not None
    async with server.stdout:
        if not await server.stdout.receive_some():
            raise SetupError(f"{host.name} does not start\n{(host.folder / 'web.log').read_text()}")


async def bring_up(pair: Pair) -> None:
    """Start both nodes and wait until the preferred one is Active. Raises SetupError, with the end of the logs."""
    for name in pair.nodes:
        await pair.start(name)
    trouble: list[str] = [f"{pair.plan.preferred} did not take the VIP within {PATIENCE_S:g} s"]
    async with trio.open_nursery() as nursery:

        async def watch(host: Host) -> None:
            await host.first_exit()
            trouble.append(f"a program ended on {host.name}")
            nursery.cancel_scope.cancel()

        for node in pair.nodes.values():
            nursery.start_soon(watch, node)
        if await pair.settled(pair.plan.preferred):
            trouble.clear()
        nursery.cancel_scope.cancel()
    if trouble:
        raise SetupError(f"{trouble[-1]}\n{logs_of(pair)}")


def logs_of(pair: Pair, *, lines: int = 15) -> str:
    """The last lines of every log of the nodes."""
    files = [file for node in pair.nodes.values() for file in sorted(node.folder.glob("*.log"))]
    return "\n".join(f"--- {file}\n" + "\n".join(file.read_text().splitlines()[-lines:]) for file in files)


@asynccontextmanager
async def measuring(pair: Pair, *options: str) -> AsyncIterator[Measurement]:
    """A client that asks through the VIP for as long as the block lasts. `options` are those of load.py."""
    argv = [sys.executable, "-m", "hapair.lab.load", pair.plan.vip, "80", *options]
    client = await pair.client.start(argv, log="client.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdin is not None
    assert client.stdout is not None
    measurement = Measurement()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(measurement.follow, client.stdout)
        try:
            yield measurement
        finally:
            await client.stdin.aclose()
