"""Where the default route of an interface leads, from the kernel's tables as text. Pure."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from vrrp.config import Address

_UP, _GATEWAY = 0x1, 0x2


def gateways_in(route: str, ipv6_route: str, interface: str) -> tuple[Address, ...]:
    """From both tables: where the default routes of an interface lead, in each family that has one."""
    found = (gateway_in_route(route, interface), gateway_in_ipv6_route(ipv6_route, interface))
    return tuple(gateway for gateway in found if gateway is not None)


def gateway_in_route(text: str, interface: str) -> Address | None:
    """From /proc/net/route (IPv4): the gateway with the lowest metric; None: there is none."""
    return min(_ipv4_gateways(text, interface), default=(0, None), key=lambda found: found[0])[1]


def gateway_in_ipv6_route(text: str, interface: str) -> Address | None:
    """From /proc/net/ipv6_route: the same."""
    return min(_ipv6_gateways(text, interface), default=(0, None), key=lambda found: found[0])[1]


def _ipv4_gateways(text: str, interface: str) -> Iterator[tuple[int, Address | None]]:
    """Interface, destination, gateway, flags, two counters, metric, mask; addresses are in the machine's byte order."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[0] != interface or (fields[1], fields[7]) != ("00000000", "00000000"):
            continue
        if int(fields[3], 16) & (_UP | _GATEWAY) == _UP | _GATEWAY:
            yield int(fields[6]), IPv4Address(int.from_bytes(bytes.fromhex(fields[2]), "little"))


def _ipv6_gateways(text: str, interface: str) -> Iterator[tuple[int, Address | None]]:
    """Destination and its length, source and its length, next hop, metric, two counters, flags, interface."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 10 or fields[9] != interface or (fields[0], fields[1]) != ("0" * 32, "00"):
            continue
        if int(fields[8], 16) & (_UP | _GATEWAY) == _UP | _GATEWAY:
            yield int(fields[5], 16), IPv6Address(bytes.fromhex(fields[4]))
