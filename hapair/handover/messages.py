"""What two nodes say to each other about a handover, and how it is written and read. Pure.

Both nodes are this program and the link between them is authenticated. What comes is decoded strictly nevertheless, and
the conversation checks that every flow belongs to a VIP of the pair: it becomes a rule in the other node's kernel.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from hapair.wire import WireError, decode, encode
from vrrp.config import Address

PAGE_FLOWS = 700
"""Flows in one message: at most 50,400 bytes as hexadecimal text, and a frame of the link holds 60,000."""
_FLOW4, _FLOW6 = struct.Struct("!4sH4sH"), struct.Struct("!16sH16sH")
MOST_DRAIN_S = 86_400.0
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class Flow:
    """One TCP connection of a client to a VIP."""

    client: Address
    client_port: int
    vip: Address
    vip_port: int

    def __post_init__(self) -> None:
        if self.client.version != self.vip.version:
            raise ValueError(f"{self.client} and {self.vip} are not of one family")
        if not (0 < self.client_port < 65536 and 0 < self.vip_port < 65536):
            raise ValueError(f"{self.client_port} or {self.vip_port} is no port")


@dataclass(frozen=True, slots=True)
class Stations:
    """The Ethernet address of each virtual router's interface on the node that says so: `02:00:00:00:00:0a`."""

    macs: Mapping[str, str]

    def __post_init__(self) -> None:
        for mac in self.macs.values():
            if not _MAC.fullmatch(mac):
                raise ValueError(f"{mac!r} is no MAC address")


@dataclass(frozen=True, slots=True)
class Ask:
    """Giver to taker: become Active for these virtual routers within `take_s`. The flows follow, in pages."""

    id: str
    reason: str
    routers: tuple[str, ...]
    stations: Stations
    servers_up: int
    take_s: float
    drain_s: float
    """How long connections may go on after that."""

    def __post_init__(self) -> None:
        if not (0 < self.take_s <= 60 and 0 <= self.drain_s <= MOST_DRAIN_S):
            raise ValueError(f"{self.take_s} s or {self.drain_s} s is no sensible span")


@dataclass(frozen=True, slots=True)
class Flows:
    """Giver to taker: open flows, page by page. After Ask those before the move, after Taken those opened since."""

    id: str
    ipv4: bytes
    """Address and port of the client, address and port of the VIP; again for each flow."""
    ipv6: bytes
    last: bool

    def unpack(self) -> tuple[Flow, ...]:
        """Raises ValueError."""
        try:
            ipv4, ipv6 = list(_FLOW4.iter_unpack(self.ipv4)), list(_FLOW6.iter_unpack(self.ipv6))
        except struct.error as error:
            raise ValueError(str(error)) from None
        return (
            *(Flow(IPv4Address(client), port, IPv4Address(vip), vip_port) for client, port, vip, vip_port in ipv4),
            *(Flow(IPv6Address(client), port, IPv6Address(vip), vip_port) for client, port, vip, vip_port in ipv6),
        )


@dataclass(frozen=True, slots=True)
class Next:
    """Taker to giver: the page has come, send the next one. So the link never has more than one to carry."""

    id: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Taker to giver: no, or not any more."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """Taker to giver: the VIPs are here and announced. `obstacle`: why flows are not forwarded; None: they are."""

    id: str
    stations: Stations
    obstacle: str | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Giver to taker: it is off; give back what you took."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """Giver to taker: no flow is left; stop forwarding."""

    id: str


Message = Ask | Flows | Next | Refuse | Taken | Cancel | Done
_KNOWN: Mapping[str, type] = {kind.__name__: kind for kind in (Ask, Flows, Next, Refuse, Taken, Cancel, Done)}


def read(data: bytes) -> Message:
    """Raises hapair.wire.WireError."""
    message: Message = decode(data, _KNOWN)
    if isinstance(message, Flows):
        _check(message)
    return message


def _check(page: Flows) -> None:
    try:
        page.unpack()
    except ValueError as error:
        raise WireError(str(error)) from None


def write(message: Message) -> bytes:
    """One message of the link."""
    return encode(message)


def pages(id: str, flows: Sequence[Flow]) -> Iterator[Flows]:
    """The flows in messages of a bounded size; no flows are one message too."""
    for start in range(0, max(1, len(flows)), PAGE_FLOWS):
        page = flows[start : start + PAGE_FLOWS]
        yield Flows(id, _pack(page, 4, _FLOW4), _pack(page, 6, _FLOW6), last=start + PAGE_FLOWS >= len(flows))


def _pack(flows: Sequence[Flow], version: int, layout: struct.Struct) -> bytes:
    listed = (flow for flow in flows if flow.vip.version == version)
    return b"".join(layout.pack(one.client.packed, one.client_port, one.vip.packed, one.vip_port) for one in listed)


__all__ = ["Ask", "Cancel", "Done", "Flow", "Flows", "Message", "Next", "Refuse", "Stations", "Taken", "WireError"]
