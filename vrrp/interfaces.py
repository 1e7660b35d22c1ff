"""What is known of a network interface, and what follows from it for its virtual routers. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface


@dataclass(frozen=True, slots=True)
class HeldAddress:
    """An address on an interface."""

    address: IPv4Interface
    ours: bool = False
    """It carries our protocol tag: we put it there, or a run of us that crashed."""
    secondary: bool = False
    """Another address in its subnet comes before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One network interface at one moment. Its index is 0 where it does not exist."""

    name: str
    index: int = 0
    up: bool = False
    """Switched on, and with a carrier."""
    mac: bytes = b""
    addresses: tuple[HeldAddress, ...] = ()


def primary_address(interface: Interface, vips: Collection[IPv4Address]) -> IPv4Address | None:
    """The address to send from: the first that is nobody's VIP, else (an owner's) the first that we did not put on."""
    foreign = [held for held in interface.addresses if not held.ours]
    usual = [held for held in foreign if not held.secondary and held.address.ip not in vips]
    return next((held.address.ip for held in usual or foreign), None)


def lacking(interface: Interface, vips: Collection[IPv4Address]) -> str | None:
    """What the interface lacks before a virtual router can run on it, in words; None: nothing."""
    if not interface.index:
        return f"interface {interface.name} to exist"
    if not interface.up:
        return f"interface {interface.name} to come up"
    if primary_address(interface, vips) is None:
        return f"interface {interface.name} to have an IPv4 address"
    return None


def to_put_on(
    wanted: Iterable[IPv4Interface], interface: Interface, *, all_vips: Collection[IPv4Address]
) -> tuple[IPv4Interface, ...]:
    """How VIPs are put on an interface: /32 where it already has an address in that subnet, else as written.

    A VIP of the same subnet and prefix length would be a secondary of the other address, and the kernel takes every
    secondary away with its primary. Of several VIPs in one such subnet the first is put on as written. Other virtual
    routers' VIPs do not count: they come and go.
    """
    subnets = {held.address.network for held in interface.addresses if held.address.ip not in all_vips}
    put_on = []
    for address in wanted:
        known = any(address.ip in subnet for subnet in subnets)
        put_on.append(IPv4Interface((address.ip, 32)) if known else address)
        subnets.add(address.network)
    return tuple(put_on)


def not_permanent(wanted: Iterable[IPv4Interface], interface: Interface) -> tuple[IPv4Interface, ...]:
    """Those of an owner's addresses that somebody has yet to put on: what stands there already stays as it is."""
    standing = {held.address.ip for held in interface.addresses if not held.ours}
    return tuple(address for address in wanted if address.ip not in standing)


def removed(before: Interface, after: Interface) -> frozenset[IPv4Address]:
    """Addresses that went away between two moments."""
    return frozenset(held.address.ip for held in before.addresses) - {held.address.ip for held in after.addresses}
