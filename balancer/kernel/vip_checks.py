"""How a server of direct server return is checked as its clients meet it: at the VIP, through its MAC address. Pure.

The kernel of a node that holds the VIP would keep such a packet to itself, and that of another would send it to whoever
holds it. So a check is sent to the server's own address, under a mark that tells the VIP; when the kernel has found the
server's MAC address and the frame leaves, the VIP takes the place of the address. What the server answers, as the VIP,
comes back to one of the node's own addresses, and gets the server's address again as its sender.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from balancer.fieldtypes import Endpoint
from balancer.kernel.services import Protocol, Service

MARK = 0x68617100
"""The first VIP's; the next one has the next number."""


class Way(NamedTuple):
    """To one VIP on a server. `mark`: of the socket that takes it."""

    vip: str
    protocol: Protocol
    mark: int
    server: Endpoint
    """Where the socket is to connect to."""


def ways_to(services: Sequence[Service], pool: str, server: str) -> tuple[Way, ...]:
    """All that a server is to be checked by, beside its own address; none where its MAC address tells no server."""
    marks, ambiguous = _marks(services), _ambiguous(services)
    found = (
        Way(one.host, service.protocol, marks[one.host], service.servers[server])
        for service in _checked(services)
        if service.pool == pool and server in service.macs
        if (service.macs[server], service.is_ipv6) not in ambiguous
        for one in service.listen
        if service.servers[server].port in one.all_ports
    )
    return tuple(dict.fromkeys(found))


def leaving(services: Sequence[Service], device: str) -> Iterator[str]:
    """Rules for frames that leave by a device."""
    here = _marks(_at(services, device))
    for vip, mark in _marks(services).items():
        if vip in here:
            yield f"meta mark {mark:#x} {_ip(vip)} daddr set {vip}"


def arriving(services: Sequence[Service], device: str) -> Iterator[str]:
    """Rules for frames that come in by it."""
    ambiguous = _ambiguous(services)
    rules = (
        f"ether saddr {mac} {_ip(vip)} saddr {vip} {_ip(vip)} daddr {{ {', '.join(own)} }} "
        f"{_ip(vip)} saddr set {service.servers[server].host}"
        for service in _checked(_at(services, device))
        for vip in dict.fromkeys(one.host for one in service.listen)
        if (own := [one for one in service.lane.own if (":" in one) == service.is_ipv6])  # type: ignore[union-attr]
        for server, mac in service.macs.items()
        if (mac, service.is_ipv6) not in ambiguous
    )
    return iter(dict.fromkeys(rules))


def _checked(services: Sequence[Service]) -> list[Service]:
    return [one for one in services if one.lane is not None and one.lane.own]


def _at(services: Sequence[Service], device: str) -> list[Service]:
    return [one for one in services if one.lane is not None and one.lane.device == device]


def _marks(services: Sequence[Service]) -> dict[str, int]:
    vips = sorted({one.host for service in _checked(services) for one in service.listen})
    return {vip: MARK + number for number, vip in enumerate(vips)}


def _ambiguous(services: Sequence[Service]) -> set[tuple[str, bool]]:
    """MAC addresses, each with a family, of more than one address: an answer from there may be any one's."""
    owners: dict[tuple[str, bool], set[str]] = {}
    for service in services:
        for server, mac in service.macs.items():
            owners.setdefault((mac, service.is_ipv6), set()).add(service.servers[server].host)
    return {whose for whose, hosts in owners.items() if len(hosts) > 1}


def _ip(vip: str) -> str:
    return "ip6" if ":" in vip else "ip"
