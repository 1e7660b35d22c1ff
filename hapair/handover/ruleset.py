"""The nftables rules of a handover, as text for `nft -f -`. Pure.

Three tables of one name, each text replaces all three in one transaction:

    netdev  the taker sends packets of listed flows on to the giver; the giver sends new connections on to the taker
    inet    the taker's kernel must not reset flows that it does not know: the list of them is on its way
    arp     the giver's kernel has the VIPs as local routes and must not say so to the LAN
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hapair.handover.messages import Flow
from vrrp.config import Address

TABLE = "hapair_handover"
_PRIORITY = -600
"""Before the announcer's fence (vrrp.linux.fencerules): it drops what still has a released VIP as its sender."""
_SET_SIZE = 1 << 20
_IS_NEW = "tcp flags & (syn | ack) == syn"
_ANSWERS_UNKNOWN = "tcp flags & (rst | ack) == rst"
"""How a kernel answers a segment with ACK of which it knows no socket (RFC 9293 section 3.10.7.1)."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One interface over which VIPs move. Packets go on under `own_mac`: a switch must not learn the client's here."""

    interface: str
    own_mac: str
    other_mac: str
    vips: tuple[Address, ...]
    reached_by: tuple[str, ...]
    """MAC addresses to which packets for the VIPs come here: a frame that a switch floods is not ours to send on."""
    own_address: Address | None = None
    """The interface's own IPv4 address; the giver's kernel asks for neighbours with it instead of a VIP."""


def removal() -> str:
    """No rule is left, whatever was there."""
    families = ("netdev", "inet", "arp")
    return "".join(f"add table {family} {TABLE}\ndelete table {family} {TABLE}\n" for family in families)


def taker_rules(lanes: Sequence[Lane], flows: Sequence[Flow], *, shielded: bool) -> str:
    """`shielded`: hold back resets, until the second list of flows is in."""
    lines = [f"table netdev {TABLE} {{", *_flow_set(4, "ip", flows), *_flow_set(6, "ip6", flows)]
    for place, lane in enumerate(lanes):
        lines += _chain(f"to_giver_{place}", _ingress(lane), _forward_flows(lane))
    lines.append("}")
    if shielded:
        shield = [f"{match} {_ANSWERS_UNKNOWN} drop" for match in _from_vips(lanes)]
        lines += [f"table inet {TABLE} {{", *_chain("shield", "type filter hook output", shield), "}"]
    return removal() + "\n".join(lines) + "\n"


def giver_rules(lanes: Sequence[Lane]) -> str:
    """New connections, from clients that have not heard of the move, go to the taker; ARP knows of no VIP."""
    lines = [f"table netdev {TABLE} {{"]
    for place, lane in enumerate(lanes):
        rules = [f"{match} {_IS_NEW} {_send_on(lane)}" for match in _matches("daddr", lane.vips)]
        lines += _chain(f"to_taker_{place}", _ingress(lane), rules)
    lines += ["}", f"table arp {TABLE} {{", *_chain("quiet", "type filter hook output", _hide_from_arp(lanes)), "}"]
    return removal() + "\n".join(lines) + "\n"


def _ingress(lane: Lane) -> str:
    return f'type filter hook ingress device "{lane.interface}"'


def _chain(name: str, kind: str, rules: Iterable[str]) -> Iterator[str]:
    yield f"chain {name} {{"
    yield f"{kind} priority {_PRIORITY}"
    yield from rules
    yield "}"


def _flow_set(version: int, header: str, flows: Sequence[Flow]) -> Iterator[str]:
    yield f"set flows{version} {{"
    yield f"typeof {header} saddr . tcp sport . {header} daddr . tcp dport"
    yield f"size {_SET_SIZE}"
    yield "flags dynamic"
    listed = [flow for flow in dict.fromkeys(flows) if flow.vip.version == version]
    if listed:
        keys = (f"{flow.client} . {flow.client_port} . {flow.vip} . {flow.vip_port}" for flow in listed)
        yield f"elements = {{ {', '.join(keys)} }}"
    yield "}"


def _forward_flows(lane: Lane) -> Iterator[str]:
    """A client that begins anew from the same port has no use for its old flow, and must not be sent in circles."""
    for version, header in ((4, "ip"), (6, "ip6")):
        key = f"{header} saddr . tcp sport . {header} daddr . tcp dport"
        yield f"{_IS_NEW} {key} @flows{version} delete @flows{version} {{ {key} }} accept"
        yield f"{key} @flows{version} {_send_on(lane)}"


def _send_on(lane: Lane) -> str:
    addressed = f"ether daddr {{ {', '.join(lane.reached_by)} }}"
    return f'{addressed} ether saddr set {lane.own_mac} ether daddr set {lane.other_mac} fwd to "{lane.interface}"'


def _hide_from_arp(lanes: Sequence[Lane]) -> Iterator[str]:
    """Questions are asked under the own address, lest neighbours fall silent; anything else is not said at all."""
    for lane in lanes:
        listed = ", ".join(str(vip) for vip in lane.vips if vip.version == 4)
        if not listed:
            continue
        as_vip = f'oifname "{lane.interface}" arp saddr ip {{ {listed} }}'
        if lane.own_address is not None:
            yield f"{as_vip} arp operation request arp saddr ip set {lane.own_address} accept"
        yield f"{as_vip} drop"


def _from_vips(lanes: Sequence[Lane]) -> Iterator[str]:
    return _matches("saddr", [vip for lane in lanes for vip in lane.vips])


def _matches(side: str, vips: Sequence[Address]) -> Iterator[str]:
    """`ip saddr { ... }`, `ip6 saddr { ... }`, for the families that there are."""
    for version, header in ((4, "ip"), (6, "ip6")):
        listed = [str(vip) for vip in vips if vip.version == version]
        if listed:
            yield f"{header} {side} {{ {', '.join(listed)} }}"
