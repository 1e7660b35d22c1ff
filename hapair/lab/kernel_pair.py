"""A pair whose frontends are of the kernel plane, furnished in the lab: what its tests and benchmarks share.

The LAN is that of hapair.lab.pair, with a VIP of each family. Which servers run, and what stands in the file beside
the pair itself, is for who furnishes it.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import trio

from hapair import secret
from hapair.lab.host import Host
from hapair.lab.network import Lab
from hapair.lab.pair import CLIENT, NODES, SERVERS
from hapair.lab.programs import at, hapair, status_of

VIP6 = "fd00:51::100"
SETTLE_S = 60.0
LOG = "hapair.log"
_PAIR = """\
pair:
  nodes: {pi-a: 192.168.1.11, pi-b: 192.168.1.12}
  secret_file: pair.key
virtual_routers:
  lan:
    vrid: 51
    interface: eth0
    addresses: [192.168.1.100/24]
    excluded_addresses: ["fd00:51::100/64"]
    priority: {pi-a: 200, pi-b: 100}
    advertisement_interval: 100ms
    hold_down: 0s
"""
WEB = """\
frontends:
  web: {listen: ["192.168.1.100:80", "[fd00:51::100]:80"], mode: tcp, plane: kernel, pool: web}
pools:
  web:
    check: {tcp: connect, interval: 500ms, timeout: 500ms}
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      web3: 192.168.1.23:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
"""
"""One frontend with both VIPs, and five servers."""


class KernelPair:
    """Servers web1, web2, web3, nodes pi-a and pi-b, and a client, by name: `pair["web1"]`."""

    def __init__(self, hosts: Mapping[str, Host], file: str) -> None:
        """`file`: frontends and pools of the configuration, both nodes' alike."""
        self._hosts = dict(hosts)
        self.file = self["pi-a"].folder.parent / "hapair.yaml"
        self.file.write_text(_PAIR + file)
        with suppress(secret.SecretError):  # a pair before this one has made it
            secret.make(self.file.with_name("pair.key"))

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    @property
    def client(self) -> Host:
        return self["client"]

    @property
    def nodes(self) -> list[Host]:
        """Both; the first is preferred."""
        return [self[name] for name in NODES]

    @property
    def servers(self) -> list[Host]:
        return [self[name] for name in SERVERS]

    def options(self, name: str) -> list[str]:
        """Which file and which node a command is about."""
        return ["--config", str(self.file), "--node", name, *at(self[name])]

    async def start(self, *names: str) -> None:
        """`hapair up` on these nodes; both where none is named."""
        for name in names or NODES:
            (self[name].folder / "run").mkdir(exist_ok=True)
            await self[name].start([*hapair("up"), *self.options(name)], log=LOG)

    async def status(self, node: Host) -> dict[str, Any]:
        """What `hapair status --json` says; of one that does not run, that it has no role and no flows."""
        nothing = {"role": "", "flows": None, "kernel": {"obstacle": "it does not run", "restored": 0}}
        return await status_of(node) or nothing

    async def flows(self, node: Host) -> dict[str, Any]:
        """What it says of flows told to the peer."""
        return (await self.status(node))["flows"] or {"up": False, "told": 0, "waiting": 0}

    async def until(self, condition: Callable[[], Awaitable[bool]], *, within_s: float = SETTLE_S) -> None:
        """Ask until it is so. Raises AssertionError, with the end of the nodes' logs."""
        with trio.move_on_after(within_s):
            while not await condition():  # noqa: ASYNC110 - hosts tell those who ask
                await trio.sleep(0.1)
            return
        logs = (node.folder / LOG for node in self.nodes)
        raise AssertionError("\n".join(one.read_text()[-3000:] for one in logs if one.exists()))

    async def is_serving(self) -> bool:
        """The preferred node is ACTIVE, and its rules are in place."""
        told = await self.status(self.nodes[0])
        return told["role"] == "ACTIVE" and told["kernel"]["obstacle"] is None

    async def replicates(self) -> bool:
        """The same, and both nodes' flows processes talk to each other."""
        return await self.is_serving() and all([(await self.flows(node))["up"] for node in self.nodes])

    async def has_told(self, count: int) -> bool:
        """The other node knows of so many flows, and of all that there is to know."""
        found = await self.flows(self.nodes[0])
        return bool(found["up"] and found["told"] >= count and not found["waiting"])


async def furnish(lab: Lab, file: str = WEB) -> KernelPair:
    """Hosts; nothing runs on them yet."""
    hosts = {name: await lab.host(name, address) for name, address in (SERVERS | NODES).items()}
    hosts["client"] = await lab.host("client", CLIENT)
    return KernelPair(hosts, file)
