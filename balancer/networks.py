"""IP addresses and the networks that they lie in. Pure.

An IPv4 client of a socket that listens on both families has an address like `::ffff:192.0.2.1`. Here, and in all that
rests on this, it is `192.0.2.1`: one client has one name, whatever socket it came by.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated

from balancer.fieldtypes import Text

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Networks:
    """A set of networks: `"192.0.2.7" in Networks(("192.0.2.0/24",))`."""

    __slots__ = ("_masks", "texts")

    def __init__(self, texts: Iterable[str]) -> None:
        """`texts` as `parse_network` returns them."""
        self.texts = tuple(texts)
        self._masks: dict[tuple[int, int], set[int]] = {}
        """The networks' first addresses by IP version and mask: as many look-ups as there are different masks."""
        for network in map(ipaddress.ip_network, self.texts):
            key = (network.version, int(network.netmask))
            self._masks.setdefault(key, set()).add(int(network.network_address))

    def __bool__(self) -> bool:
        return bool(self._masks)

    def __contains__(self, address: str) -> bool:
        """`address` is one as `canonical` returns it."""
        parsed = ipaddress.ip_address(address)
        number = int(parsed)
        return any(
            version == parsed.version and number & mask in firsts for (version, mask), firsts in self._masks.items()
        )


def parse_network(text: str) -> str:
    """A network in canonical form, from `10.0.0.0/8`, `2001:db8::/32` or one address. Raises ValueError."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a network; write for example 10.0.0.0/8 or 2001:db8::/32") from None
    if "/" in text and int(ipaddress.ip_interface(text).ip) != int(network.network_address):
        raise ValueError(f"{text!r} has bits set beyond its prefix length; write {network}")
    return str(network)


@lru_cache(maxsize=4096)
def canonical(address: str) -> str:
    """An address as sockets have it, without its zone, and as IPv4 where it is that. Raises ValueError."""
    parsed: _Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return str(parsed)


NetworkText = Annotated[str, Text(parse_network, r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?", "10.0.0.0/8")]
"""A field of the configuration: a network in canonical form."""


def parse_source(text: str) -> str:
    """One IP address in canonical form. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address") from None


SourceAddress = Annotated[str, Text(parse_source, r"[0-9A-Fa-f:.]+", "192.0.2.1")]
"""A field of the configuration: an address in canonical form."""
