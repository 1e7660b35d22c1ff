"""Two hosts beside the pair: one pings the VIP all the time, one looks its hardware address up afresh when told to."""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from hapair.lab.host import Host
from hapair.lab.lookups import Lookup, decode
from hapair.lab.namespace import set_sysctl
from hapair.lab.network import Lab
from hapair.lab.pair import Pair
from hapair.lab.pings import Ping, PingLog

PROBER = "192.168.1.51"
_FIRST_TTL = 201
_POLL_S = 0.02


@dataclass(slots=True)
class Watchers:
    """What they have seen so far."""

    ttls: Mapping[str, int]
    """What tells the nodes' answers apart: node to TTL."""
    macs: Mapping[str, str]
    """Node to the hardware address of its eth0."""
    pings: PingLog
    prober: trio.abc.SendStream
    lookups: list[Lookup] = field(default_factory=list)

    async def look_up(self, start: float, *, count: int, every_s: float) -> None:
        """Ask for lookups from `start` (time.monotonic()) on; they appear in `lookups`."""
        self.lookups.clear()
        await self.prober.send_all(f"{start} {count} {every_s}\n".encode())

    async def answered_by(self, node: str, *, in_a_row: int = 200, within_s: float = 30.0) -> bool:
        """Wait until the node has answered that many pings in a row; False where that takes too long."""
        began = time.monotonic()
        while time.monotonic() < began + within_s:
            pings = [ping for ping in self.pings.last(in_a_row) if ping.sent_at > began]
            if len(pings) == in_a_row and self._all_by(node, pings):
                return True
            await trio.sleep(_POLL_S)
        return False

    def _all_by(self, node: str, pings: list[Ping]) -> bool:
        return all(ping.ttl == self.ttls[node] for ping in pings)

    async def follow_pings(self, output: trio.abc.ReceiveStream) -> None:
        """Take in what the pinger writes until it ends."""
        async for data in output:
            self.pings.take(bytes(data))

    async def follow_lookups(self, output: trio.abc.ReceiveStream) -> None:
        """Take in what the prober writes until it ends."""
        rest = b""
        async for data in output:
            *lines, rest = (rest + data).split(b"\n")
            self.lookups += map(decode, lines)


@asynccontextmanager
async def watching(lab: Lab, pair: Pair, *, every_ms: float = 1.0) -> AsyncIterator[Watchers]:
    """Ping the VIP from the client for as long as the block lasts, with another host ready to look it up."""
    second = await lab.host("prober", PROBER)
    pinger = await _start(pair.client, "pinger", pair.plan.vip, str(every_ms))
    prober = await _start(second, "lookups", pair.plan.vip, PROBER)
    assert pinger.stdin is not None
    assert pinger.stdout is not None
    assert prober.stdin is not None
    assert prober.stdout is not None
    macs = {name: await mac_of(node) for name, node in pair.nodes.items()}
    watchers = Watchers(set_ttls(pair), macs, PingLog(), prober.stdin)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watchers.follow_pings, pinger.stdout)
        nursery.start_soon(watchers.follow_lookups, prober.stdout)
        try:
            yield watchers
        finally:
            await pinger.stdin.aclose()
            await prober.stdin.aclose()


async def _start(host: Host, module: str, *arguments: str) -> trio.Process:
    argv = [sys.executable, "-m", f"hapair.lab.{module}", *arguments]
    return await host.start(argv, log=f"{module}.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def set_ttls(pair: Pair) -> dict[str, int]:
    """Give each node's answers a TTL of their own: node to TTL."""
    ttls = {name: _FIRST_TTL + number for number, name in enumerate(pair.nodes)}
    for name, ttl in ttls.items():
        set_sysctl(pair.nodes[name].namespace, "ipv4/ip_default_ttl", str(ttl))
    return ttls


async def mac_of(host: Host) -> str:
    """The hardware address of a host's eth0."""
    [link] = json.loads((await host.run(["ip", "-j", "link", "show", "dev", "eth0"])).stdout)
    return str(link["address"])
