"""What is known of a network interface, and what follows from it for its virtual routers. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Literal

from vrrp.config import Address, Vip


@dataclass(frozen=True, slots=True)
class HeldAddress:
    """An address on an interface."""

    address: Vip
    ours: bool = False
    """It carries our protocol tag: we put it there, or a run of us that crashed."""
    secondary: bool = False
    """IPv4: another address in its subnet comes before it."""
    tentative: bool = False
    """IPv6: not yet known to be unique; nothing can be sent from it."""
    dadfailed: bool = False
    """IPv6: another machine has it; nothing can be sent from it until someone takes it off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One network interface at one moment. Its index is 0 where it does not exist."""

    name: str
    index: int = 0
    up: bool = False
    """Switched on, and with a carrier."""
    mac: bytes = b""
    addresses: tuple[HeldAddress, ...] = ()
    """Of both families; those on our virtual interfaces on top of it too, where they are `ours`."""


def primary_address(interface: Interface, vips: Collection[Address], family: Literal[4, 6]) -> Address | None:
    """The address to send from: the first that is nobody's VIP, else (an owner's) the first that we did not put on.

    IPv6: of the link-local ones that can be used (RFC 9568 section 5.1.2.1).
    """
    foreign = [held for held in interface.addresses if not held.ours and held.address.version == family]
    if family == 6:
        foreign = [held for held in foreign if held.address.is_link_local and not (held.tentative or held.dadfailed)]
    usual = [held for held in foreign if not held.secondary and held.address.ip not in vips]
    return next((held.address.ip for held in usual or foreign), None)


def lacking(interface: Interface, vips: Collection[Address], family: Literal[4, 6]) -> str | None:
    """What the interface lacks before a virtual router can run on it, in words; None: nothing."""
    if not interface.index:
        return f"interface {interface.name} to exist"
    if not interface.up:
        return f"interface {interface.name} to come up"
    if primary_address(interface, vips, family) is None:
        return f"interface {interface.name} to have {_lacking_address(interface, family)}"
    return None


def _lacking_address(interface: Interface, family: Literal[4, 6]) -> str:
    if family == 4:
        return "an IPv4 address"
    link_local = [held for held in interface.addresses if held.address.version == 6 and held.address.is_link_local]
    if any(held.dadfailed for held in link_local):
        return "a link-local IPv6 address that no other machine has"
    return "a link-local IPv6 address"


def to_put_on(wanted: Iterable[Vip], interface: Interface, *, all_vips: Collection[Address]) -> tuple[Vip, ...]:
    """How VIPs are put on an interface: /32 or /128 where it already has an address in that subnet, else as written.

    An IPv4 VIP of the same subnet and prefix length would be a secondary of the other address, and the kernel takes
    every secondary away with its primary; an IPv6 VIP's subnet would be a second route with the lease's end. Of several
    VIPs in one such subnet the first is put on as written. VIPs that stand there do not count: they come and go.
    """
    foreign = (held for held in interface.addresses if not held.ours and held.address.ip not in all_vips)
    subnets = {held.address.network for held in foreign}
    put_on = []
    for address in wanted:
        known = any(address.ip in subnet for subnet in subnets)
        put_on.append(ip_interface(address.ip) if known else address)
        subnets.add(address.network)
    return tuple(put_on)


def not_permanent(wanted: Iterable[Vip], interface: Interface) -> tuple[Vip, ...]:
    """Those of an owner's addresses that somebody has yet to put on: what stands there already stays as it is."""
    standing = {held.address.ip for held in interface.addresses if not held.ours}
    return tuple(address for address in wanted if address.ip not in standing)


def removed(before: Interface, after: Interface) -> frozenset[Address]:
    """Addresses that went away between two moments."""
    return frozenset(held.address.ip for held in before.addresses) - {held.address.ip for held in after.addresses}
