"""The tables that a fence is made of, as requests to nf_tables. Pure.

Two tables for each family. The permanent one, `hapair_fence`, drops what would tell a neighbour that a VIP is here:
every ARP packet with the VIP as its sender (a request turns a neighbour's cache as well as a reply does), every
neighbour advertisement for it and every message of neighbour discovery from it; unless it carries MARK. The other
belongs to a socket, comes just before it, and marks what concerns a VIP that is open. The kernel removes it when that
socket closes, however that comes about, and what remains is the fence.

With a virtual MAC address a VIP stands on an interface of its own, while answers leave by the one below. That one must
ask for the neighbours whom it answers, and the kernel has it ask in the name of the VIP. It may, but without the name:
the sender's address becomes 0.0.0.0, as in a probe (RFC 5227), from which no neighbour learns anything.

The mark lives from one chain to the next: the permanent table takes it off again. Sets keep the cost of a packet and of
a change independent of how many VIPs there are; chains are made beforehand: a change within them waits for nobody.
"""

import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from vrrp.config import Address
from vrrp.linux import nftables as nft
from vrrp.linux.nftables import Request, Table

MARK = 0x56525250
"""What marks a packet that may pass the fence: VRRP, in ASCII."""

PERMANENT = {family: Table(family, "hapair_fence") for family in (nft.ARP, nft.IPV6, nft.IPV4)}

_BEFORE, _FENCE = -501, -500
"""Priorities, before those of the kernel's own hooks. Nobody's chain lies between the two."""

_INPUT, _OUTPUT = 1, {nft.ARP: 1, nft.IPV6: 3}
_ICMPV6, _NEIGHBOUR_ADVERTISEMENT = b"\x3a", b"\x88"
_FIRST_OF_DISCOVERY, _LAST_OF_DISCOVERY = b"\x85", b"\x89"  # router solicitation to redirect
_REQUEST = (nft.load_payload(nft.NETWORK_HEADER, 6, 2), nft.compare(nft.EQUAL, b"\x00\x01"))
_NO_MARK, _WITH_MARK = (struct.pack("=I", mark) for mark in (0, MARK))

Expressions = tuple[bytes, ...]
Change = Callable[[Table, str, Sequence[bytes]], list[Request]]

_DROP: Expressions = (nft.count(), nft.verdict(nft.DROP))
_PASS: Expressions = (nft.load_value(_WITH_MARK), nft.store_mark())

_ICMPV6_TYPE = nft.load_payload(nft.TRANSPORT_HEADER, 0, 1)
_DISCOVERY = (
    *(_ICMPV6_TYPE, nft.compare(nft.AT_LEAST, _FIRST_OF_DISCOVERY)),
    nft.compare(nft.AT_MOST, _LAST_OF_DISCOVERY),
)
_ADVERTISEMENT = (_ICMPV6_TYPE, nft.compare(nft.EQUAL, _NEIGHBOUR_ADVERTISEMENT))

SPOKEN_FOR: Mapping[int, Sequence[Expressions]] = {
    nft.ARP: ((nft.load_payload(nft.NETWORK_HEADER, 14, 4),),),
    nft.IPV6: (
        (*_DISCOVERY, nft.load_payload(nft.NETWORK_HEADER, 8, 16)),
        (*_ADVERTISEMENT, nft.load_payload(nft.TRANSPORT_HEADER, 8, 16)),
    ),
}
"""The addresses in a packet that a neighbour learns from: the sender's; the source's and the advertised target's."""

ADDRESSED: Mapping[int, Expressions] = {
    nft.IPV4: (nft.load_payload(nft.NETWORK_HEADER, 16, 4),),
    nft.IPV6: (nft.load_payload(nft.NETWORK_HEADER, 24, 16),),
}

# Everything but ICMPv6 is done with at once.
_UNCONCERNED: Mapping[int, Sequence[Expressions]] = {
    nft.ARP: (),
    nft.IPV6: ((nft.load_meta(nft.L4PROTO), nft.compare(nft.NOT_EQUAL, _ICMPV6), nft.verdict(nft.ACCEPT)),),
}
_TAKE_MARK_OFF = (
    *(nft.load_meta(nft.MARK), nft.compare(nft.EQUAL, _WITH_MARK)),
    *(nft.load_value(_NO_MARK), nft.store_mark(), nft.verdict(nft.ACCEPT)),
)
_ASK_WITHOUT_A_NAME = (
    *(*_REQUEST, nft.load_payload(nft.NETWORK_HEADER, 14, 4), nft.in_set("nameless")),
    *(nft.load_value(bytes(4)), nft.store_payload(nft.NETWORK_HEADER, 14, 4), nft.verdict(nft.ACCEPT)),
)
_LET_DISCOVERY_IN = (
    *(nft.load_meta(nft.L4PROTO), nft.compare(nft.EQUAL, _ICMPV6)),
    *(*_DISCOVERY, nft.verdict(nft.ACCEPT)),
)


@dataclass(frozen=True, slots=True)
class FencePlan:
    """What is fenced. An IPv6 address with a zone (fe80::1%eth0) is fenced on that interface, others everywhere."""

    vips: frozenset[Address]
    only_from: Mapping[Address, str] = field(default_factory=dict)
    """The one interface that may speak for a VIP that is open."""
    not_accepted: frozenset[Address] = frozenset()
    """Nothing that is addressed to these is let in, but for neighbour discovery."""


def owned(family: int, portid: int) -> Table:
    """The table that belongs to a socket. Two of them, of a process that ends and of its successor, do not clash."""
    return Table(family, f"hapair_fence_open_{portid}")


def install_permanent(plan: FencePlan) -> list[Request]:
    """Put the permanent tables in place of whatever stands there under their names."""
    requests: list[Request] = []
    for table in PERMANENT.values():
        requests += [nft.add_table(table), nft.delete_table(table)]
        body = _fence(plan, table) + _refusal(plan, table)
        requests += [nft.add_table(table), *body] if body else []
    return requests


def rules_in_permanent(plan: FencePlan) -> dict[Table, int]:
    """How many rules each permanent table has."""
    rules = [request.table for request in install_permanent(plan) if request.kind == nft.NEW_RULE]
    return {table: rules.count(table) for table in rules}


def install_owned(plan: FencePlan, portid: int, opened: Collection[Address]) -> list[Request]:
    """Make the tables of a socket anew."""
    requests: list[Request] = []
    for family, spoken_for in SPOKEN_FOR.items():
        if _of(family, plan.vips):
            table = owned(family, portid)
            requests += [nft.add_table(table, owned=True), nft.delete_table(table), nft.add_table(table, owned=True)]
            requests += _sets(table, "open")
            requests.append(nft.add_chain(table, "output", hook=_OUTPUT[family], priority=_BEFORE))
            requests += [nft.add_rule(table, "output", *expressions) for expressions in _UNCONCERNED[family]]
            requests += _rules(table, "output", spoken_for, "open", nft.OIFNAME, _PASS)
    return requests + change_open(plan, portid, opened, nft.add_elements)


def replan(before: FencePlan, after: FencePlan, portid: int, opened: Collection[Address]) -> list[Request]:
    """Put what `after` needs in place of what `before` needed."""
    requests = [*install_permanent(after), *install_owned(after, portid, opened)]
    for family in SPOKEN_FOR:
        if _of(family, before.vips) and not _of(family, after.vips):
            table = owned(family, portid)
            requests += [nft.add_table(table, owned=True), nft.delete_table(table)]
    return requests


def change_open(plan: FencePlan, portid: int, vips: Collection[Address], change: Change) -> list[Request]:
    """Add VIPs to the open ones (`nft.add_elements`) or take them from there (`nft.delete_elements`)."""
    requests: list[Request] = []
    for family in SPOKEN_FOR:
        table, doors = owned(family, portid), [(vip, _door(plan, vip)) for vip in _of(family, vips)]
        requests += change(table, "open", [vip.packed for vip, door in doors if door is None])
        requests += change(table, "open_on", [_place(vip, door) for vip, door in doors if door is not None])
    return requests


def remove(portid: int) -> list[Request]:
    """Remove everything, whether it exists or not."""
    tables = [(table, False) for table in PERMANENT.values()] + [(owned(family, portid), True) for family in SPOKEN_FOR]
    return [
        request
        for table, is_owned in tables
        for request in (nft.add_table(table, owned=is_owned), nft.delete_table(table))
    ]


def _fence(plan: FencePlan, table: Table) -> list[Request]:
    vips = _of(table.family, plan.vips)
    if not vips or table.family not in SPOKEN_FOR:
        return []
    nameless = [vip.packed for vip in vips if vip in plan.only_from] if table.family == nft.ARP else []
    return [
        *_sets(table, "vips", plan, vips),
        *(_constant_set(table, "nameless", nameless) if nameless else ()),
        nft.add_chain(table, "output", hook=_OUTPUT[table.family], priority=_FENCE),
        *(nft.add_rule(table, "output", *expressions) for expressions in _UNCONCERNED[table.family]),
        nft.add_rule(table, "output", *_TAKE_MARK_OFF),
        *([nft.add_rule(table, "output", *_ASK_WITHOUT_A_NAME)] if nameless else ()),
        *_rules(table, "output", SPOKEN_FOR[table.family], "vips", nft.OIFNAME, _DROP),
    ]


def _refusal(plan: FencePlan, table: Table) -> list[Request]:
    vips = _of(table.family, plan.not_accepted)
    if not vips or table.family not in ADDRESSED:
        return []
    let_in = [_LET_DISCOVERY_IN] if table.family == nft.IPV6 else []
    return [
        *_sets(table, "refused", plan, vips),
        nft.add_chain(table, "input", hook=_INPUT, priority=_FENCE),
        *(nft.add_rule(table, "input", *expressions) for expressions in let_in),
        *_rules(table, "input", [ADDRESSED[table.family]], "refused", nft.IIFNAME, _DROP),
    ]


def _sets(table: Table, name: str, plan: FencePlan | None = None, vips: Sequence[Address] = ()) -> list[Request]:
    """A set of addresses and one of addresses on interfaces; constant where a plan says what is in them."""
    key, places = nft.ADDRESS_KEYS[table.family], f"{name}_on"
    constant = plan is not None
    requests = [
        nft.add_set(table, name, key, constant=constant),
        nft.add_set(table, places, nft.with_interface(key), constant=constant),
    ]
    if plan is not None:
        on = [_place(vip, interface) for vip in vips for interface in _zones(plan, vip)]
        requests += nft.add_elements(table, name, [vip.packed for vip in vips if not _zone(vip)])
        requests += nft.add_elements(table, places, on)
    return requests


def _constant_set(table: Table, name: str, keys: Sequence[bytes]) -> list[Request]:
    return [
        nft.add_set(table, name, nft.ADDRESS_KEYS[table.family], constant=True),
        *nft.add_elements(table, name, keys),
    ]


def _rules(
    table: Table, chain: str, subjects: Iterable[Expressions], name: str, interface: int, then: Expressions
) -> list[Request]:
    """For each subject: one rule for addresses wherever they are, one for those on certain interfaces."""
    behind = nft.FIRST_REGISTER + nft.ADDRESS_KEYS[table.family].length // 4
    load_interface = nft.load_meta(interface, register=behind)
    places = f"{name}_on"
    return [
        nft.add_rule(table, chain, *subject, *more, nft.in_set(which), *then)
        for subject in subjects
        for more, which in (((), name), ((load_interface,), places))
    ]


def _of(family: int, vips: Iterable[Address]) -> list[Address]:
    version = 6 if family == nft.IPV6 else 4
    return sorted((vip for vip in vips if vip.version == version), key=lambda vip: (vip.packed, _zone(vip) or ""))


def _zone(vip: Address) -> str | None:
    return vip.scope_id if isinstance(vip, IPv6Address) else None


def _zones(plan: FencePlan, vip: Address) -> list[str]:
    """The interfaces on which a VIP with a zone is fenced."""
    zone = _zone(vip)
    return sorted({zone, _door(plan, vip) or zone}) if zone else []


def _door(plan: FencePlan, vip: Address) -> str | None:
    """The interface that may speak for a VIP, None: any."""
    return plan.only_from.get(vip) or _zone(vip)


def _place(vip: Address, interface: str) -> bytes:
    return vip.packed + interface.encode().ljust(nft.NAME_BYTES, b"\0")
