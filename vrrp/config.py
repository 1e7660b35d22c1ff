"""What a virtual router is told. Frozen; it validates itself, in words for the person who wrote it. Pure."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Literal

Checksum = Literal["rfc5798", "rfc9568"]
"""rfc5798: IPv4 checksum with a pseudo-header, as keepalived and FRR send and demand; rfc9568: the message alone."""

OWNER_PRIORITY = 255
"""The router whose own, permanent addresses the VIPs are (RFC 9568 section 5.2.4)."""

_INTERFACE_NAME = re.compile(r"[^\s/:]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualRouterConfig:
    """One virtual router on one interface."""

    name: str
    vrid: int
    """1 to 255; what the routers of one virtual router have in common on their LAN."""
    interface: str
    addresses: tuple[IPv4Interface, ...]
    """The VIPs, in the order in which they are advertised."""
    priority: int = 100
    """1 to 254; the highest becomes Active. 255: the addresses are this router's own and stay on it."""
    advertisement_interval_cs: int = 100
    """In centiseconds, as it stands in an advertisement: 1 to 4095."""
    preempt: bool = True
    """Take over from an Active Router of lower priority."""
    checksum: Checksum = "rfc5798"
    """The form that is sent; both are accepted."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a virtual router needs a name")
        if not 1 <= self.vrid <= 255:
            raise ValueError(f"vrid must be from 1 to 255, not {self.vrid}")
        if not _INTERFACE_NAME.fullmatch(self.interface) or self.interface in (".", ".."):
            raise ValueError(f"{self.interface!r} cannot be the name of a network interface")
        if not 1 <= self.priority <= OWNER_PRIORITY:
            raise ValueError(f"priority must be from 1 to 254 (255: the owner of the addresses), not {self.priority}")
        if not 1 <= self.advertisement_interval_cs <= 4095:
            raise ValueError("advertisement_interval must be from 10ms to 40950ms, in steps of 10ms")
        if self.checksum not in ("rfc5798", "rfc9568"):
            raise ValueError(f"checksum must be rfc5798 or rfc9568, not {self.checksum!r}")
        check_addresses(self.addresses)

    @property
    def vips(self) -> tuple[IPv4Address, ...]:
        """The VIPs without their prefix lengths."""
        return tuple(address.ip for address in self.addresses)

    @property
    def owner(self) -> bool:
        """Whether the VIPs are this router's own addresses."""
        return self.priority == OWNER_PRIORITY


def check_addresses(addresses: tuple[IPv4Interface, ...]) -> None:
    """Raise ValueError where these cannot be the VIPs of one virtual router."""
    if not addresses:
        raise ValueError("a virtual router needs at least one address")
    if len(addresses) > 255:
        raise ValueError(f"an advertisement has room for 255 addresses, not for {len(addresses)}")
    seen = set()
    for address in addresses:
        if unusable(address):
            raise ValueError(f"{address} cannot be a virtual IP address: write one host's address, as 192.0.2.10/24")
        if address.ip in seen:
            raise ValueError(f"{address.ip} is listed twice")
        seen.add(address.ip)


def unusable(address: IPv4Interface) -> bool:
    """Whether no host can hold this address: a network's own, a broadcast, a multicast, a loopback address."""
    network, ip = address.network, address.ip
    if network.prefixlen < 31 and ip in (network.network_address, network.broadcast_address):
        return True
    return ip.is_multicast or ip.is_loopback or ip.is_unspecified or ip.is_reserved
