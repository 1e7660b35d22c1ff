"""A server of direct server return is UP where it answers at its own address and at each VIP, as clients meet it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import trio

from balancer.checks.probes import ProbeResult, target_of
from balancer.config import Check
from balancer.fieldtypes import Endpoint
from balancer.kernel.vip_checks import Way

Look = Callable[[Check, Endpoint, int], Awaitable[ProbeResult]]
"""Probe with this check, there, by a socket with this mark."""


async def probe_all_ways(look: Look, check: Check, endpoint: Endpoint, ways: Sequence[Way]) -> ProbeResult:
    """At `endpoint`, and at each VIP, all at once. The first failure is the result."""
    at_vips = [(way, one) for way in ways if (one := check_at_vip(check, endpoint, way)) is not None]
    results: dict[int, ProbeResult] = {}

    async def one_way(place: int, check: Check, endpoint: Endpoint, mark: int) -> None:
        results[place] = await look(check, endpoint, mark)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one_way, 0, check, endpoint, 0)
        for place, (way, at_vip) in enumerate(at_vips, 1):
            nursery.start_soon(one_way, place, at_vip, way.server, way.mark)
    names = ["its own address", *(f"{way.vip}, by its MAC address" for way, _ in at_vips)]
    for place, name in enumerate(names):
        if not results[place].ok and at_vips:
            return replace(results[place], reason=f"at {name}: {results[place].reason}")
    return results[0]


def check_at_vip(check: Check, endpoint: Endpoint, way: Way) -> Check | None:
    """The same check where it looks at what clients are sent to; else whether somebody takes connections there. None:
    there is nothing that would tell."""
    if check.kind != "script" and target_of(check, endpoint) == way.server:
        return check
    return Check(tcp="connect", timeout_s=check.timeout_s) if way.protocol == "tcp" else None
