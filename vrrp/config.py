"""What a virtual router is told. Frozen; it validates itself, in words for the person who wrote it. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Literal

Checksum = Literal["rfc5798", "rfc9568"]
"""rfc5798: IPv4 checksum with a pseudo-header, as keepalived and FRR send and demand; rfc9568: the message alone."""

Authentication = Literal["off", "permissive", "required"]
"""Of adverts between two hapairs: off; sign, and accept unsigned ones (while it is rolled out); demand a signature."""

Address = IPv4Address | IPv6Address
Vip = IPv4Interface | IPv6Interface

OWNER_PRIORITY = 255
"""The router whose own, permanent addresses the VIPs are (RFC 9568 section 5.2.4)."""

_INTERFACE_NAME = re.compile(r"[^\s/:]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualRouterConfig:
    """One virtual router on one interface. All of `addresses` are of one family, which is the router's."""

    name: str
    vrid: int
    """1 to 255; what the routers of one virtual router have in common on their LAN."""
    interface: str
    addresses: tuple[Vip, ...]
    """The VIPs, in the order in which they are advertised. IPv6: the first is link-local (RFC 9568 section 5.2.9)."""
    excluded_addresses: tuple[Vip, ...] = ()
    """VIPs of either family that move along and do not stand in the advertisement."""
    priority: int = 100
    """1 to 254; the highest becomes Active. 255: the addresses are this router's own and stay on it."""
    version: Literal[2, 3] = 3
    """2: VRRPv2 (RFC 3768), for IPv4 beside routers that speak nothing newer."""
    password: str | None = field(default=None, repr=False)
    """VRRPv2 only, at most 8 ASCII characters, readable by everyone on the LAN (RFC 2338 type 1)."""
    advertisement_interval_cs: int = 100
    """In centiseconds, as it stands in an advertisement: 1 to 4095; VRRPv2: whole seconds, to 25500."""
    preempt: bool = True
    """Take over from an Active Router of lower priority."""
    preempt_delay_s: float = 0.0
    """How long such a router is let be, from when it was first heard."""
    startup_delay_s: float = 0.0
    """How long a router that has just got its interface does not become Active, come what may."""
    hold_down_s: float = 0.0
    """How long, at most, it does not become Active after that as long as it has heard nothing at all from its LAN."""
    accept: bool = True
    """Accept_Mode (RFC 9568 section 6.1). A load balancer serves its VIPs: False is for mere routers."""
    virtual_mac: bool = False
    """Answer for the VIPs with the virtual MAC address 00-00-5E-00-01-{VRID} (IPv6: -02-)."""
    peers: tuple[Address, ...] = ()
    """Send to these addresses, and listen to no others; empty: multicast."""
    source: Address | None = None
    """Send from this address; None: from the interface's primary one (IPv6: its link-local one)."""
    group: str | None = None
    """Virtual routers of one group are Active all together or not at all."""
    checksum: Checksum = "rfc5798"
    """The form that is sent; both are accepted."""
    authentication: Authentication = "off"
    announce_every_s: float | None = None
    """Announce the VIPs again in this interval, for networks that forget; None: as often as a claim asks for."""
    witnessed: bool = False
    """Be Active only while the peer or a witness can be heard."""
    rivals: int | None = None
    """How many other routers there can be; None: unknown. 1: nobody else can want what this router may have."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a virtual router needs a name")
        if not 1 <= self.vrid <= 255:
            raise ValueError(f"vrid must be from 1 to 255, not {self.vrid}")
        if not _INTERFACE_NAME.fullmatch(self.interface) or self.interface in (".", ".."):
            raise ValueError(f"{self.interface!r} cannot be the name of a network interface")
        if not 1 <= self.priority <= OWNER_PRIORITY:
            raise ValueError(f"priority must be from 1 to 254 (255: the owner of the addresses), not {self.priority}")
        if self.checksum not in ("rfc5798", "rfc9568"):
            raise ValueError(f"checksum must be rfc5798 or rfc9568, not {self.checksum!r}")
        check_interval(self.version, self.advertisement_interval_cs)
        check_addresses(self.addresses, self.excluded_addresses)
        check_version(self.version, self.password, family=self.family, authentication=self.authentication)
        if self.virtual_mac and self.owner:
            raise ValueError("virtual_mac cannot be used with priority 255: the addresses stand on the real interface")
        if any(peer.version != self.family for peer in self.peers):
            raise ValueError(f"peers must be IPv{self.family} addresses, as the addresses of the virtual router are")

    @property
    def family(self) -> Literal[4, 6]:
        """The IP version of the addresses, and of the advertisements."""
        return self.addresses[0].version

    @property
    def vips(self) -> tuple[Address, ...]:
        """The advertised VIPs without their prefix lengths."""
        return tuple(address.ip for address in self.addresses)

    @property
    def all_addresses(self) -> tuple[Vip, ...]:
        """Everything that moves with this virtual router."""
        return self.addresses + self.excluded_addresses

    @property
    def all_vips(self) -> tuple[Address, ...]:
        """The same without their prefix lengths."""
        return tuple(address.ip for address in self.all_addresses)

    @property
    def owner(self) -> bool:
        """Whether the VIPs are this router's own addresses."""
        return self.priority == OWNER_PRIORITY

    @property
    def virtual_mac_address(self) -> bytes:
        """The virtual router MAC address (RFC 9568 section 7.3)."""
        return bytes((0x00, 0x00, 0x5E, 0x00, 1 if self.family == 4 else 2, self.vrid))


def check_interval(version: int, interval_cs: int) -> None:
    """Raise ValueError where an advertisement of this version cannot carry the interval."""
    if version == 2 and (interval_cs % 100 or not 100 <= interval_cs <= 25500):
        raise ValueError("advertisement_interval must be from 1s to 255s, in whole seconds, with version 2")
    if version == 3 and not 1 <= interval_cs <= 4095:
        raise ValueError("advertisement_interval must be from 10ms to 40950ms, in steps of 10ms")


def check_version(version: int, password: str | None, *, family: int, authentication: str) -> None:
    """Raise ValueError where a version of VRRP is asked for what it cannot do."""
    if version not in (2, 3):
        raise ValueError(f"version must be 2 or 3, not {version}")
    if version == 2 and family == 6:
        raise ValueError("version must be 3 for IPv6 addresses: VRRPv2 knows IPv4 alone")
    if version == 2 and authentication != "off":
        raise ValueError("authenticate must be false with version 2: its peers know no signature")
    if password is None:
        return
    if version != 2:
        raise ValueError("password must be left out with version 3, which has none (RFC 9568 section 9)")
    if not (password.isascii() and password.isprintable() and 1 <= len(password) <= 8):
        raise ValueError("password must be 1 to 8 ASCII characters")


def check_addresses(addresses: tuple[Vip, ...], excluded: tuple[Vip, ...] = ()) -> None:
    """Raise ValueError where these cannot be the VIPs of one virtual router."""
    if not addresses:
        raise ValueError("a virtual router needs at least one address")
    if len(addresses) > 255:
        raise ValueError(f"an advertisement has room for 255 addresses, not for {len(addresses)}")
    families = {address.version for address in addresses}
    if len(families) > 1:
        raise ValueError(
            "addresses must be all IPv4 or all IPv6: list those of the other family in excluded_addresses, "
            "or make a second virtual router and put both in one group"
        )
    _check_each((*addresses, *excluded))
    if families == {6} and not addresses[0].ip.is_link_local:
        raise ValueError(
            "addresses must begin with a link-local one for IPv6 (RFC 9568 section 5.2.9), for example "
            f"{link_local_for(1)} with vrid 1"
        )


def _check_each(addresses: Iterable[Vip]) -> None:
    seen = set()
    for address in addresses:
        if unusable(address):
            example = "192.0.2.10/24" if address.version == 4 else "2001:db8::10/64"
            raise ValueError(f"{address} cannot be a virtual IP address: write one host's address, as {example}")
        if address.ip in seen:
            raise ValueError(f"{address.ip} is listed twice")
        seen.add(address.ip)


def link_local_for(vrid: int) -> IPv6Interface:
    """The link-local address that belongs to a virtual router's MAC address (RFC 4291 appendix A)."""
    return IPv6Interface(f"fe80::200:5eff:fe00:2{vrid:02x}/64")


def unusable(address: Vip) -> bool:
    """Whether no host can hold this address: a network's own, a broadcast, a multicast, a loopback address."""
    network, ip = address.network, address.ip
    if address.version == 6:
        anycast = network.prefixlen < 127 and ip == network.network_address
        return anycast or ip.is_multicast or ip.is_loopback or ip.is_unspecified
    if network.prefixlen < 31 and ip in (network.network_address, network.broadcast_address):
        return True
    return ip.is_multicast or ip.is_loopback or ip.is_unspecified or ip.is_reserved
