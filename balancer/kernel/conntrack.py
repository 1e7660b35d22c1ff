"""Flows as the kernel tells of them and takes them: ctnetlink, bytes to values and back. Pure.

The messages are those of linux/netfilter/nfnetlink_conntrack.h. A tuple of TCP or UDP has one layout for each family,
so it is read at fixed places: at thousands of events a second a walk through nested attributes would cost too much.
Other protocols' flows, which have other tuples, are passed over.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

NETLINK_NETFILTER = 12
GROUP_NEW, GROUP_UPDATE, GROUP_DESTROY = 1, 2, 3
TCP, UDP = 6, 17

SEEN_REPLY, ASSURED, CONFIRMED, SRC_NAT, DST_NAT = 0x2, 0x4, 0x8, 0x10, 0x20
TCP_STATES = range(1, 10)
"""SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE, SYN_SENT2."""
WINDOW_SCALE, BE_LIBERAL = 0x01, 0x08
"""Flags of one side of a TCP flow; the second: whatever its sequence numbers are, its packets belong to it."""

_HEADER, _FAMILY, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("!BBH"), struct.Struct("=HH")
_NEW, _GET, _DELETE = 0x100, 0x101, 0x102
_ERROR, _DONE = 2, 3
_F_REQUEST, _F_ACK, _F_DUMP, _F_EXCL, _F_CREATE = 0x1, 0x4, 0x300, 0x200, 0x400
_INET, _INET6 = 2, 10
_NESTED = 0x8000
_TUPLE_ORIGINAL, _TUPLE_REPLY, _STATUS, _PROTOINFO, _NAT_SRC, _TIMEOUT, _NAT_DST = 1, 2, 3, 4, 6, 7, 13
_V4_LENGTH, _V6_LENGTH = 52, 76
_BODY = _HEADER.size + _FAMILY.size
_U32 = struct.Struct("!I")
_V4_TUPLE = struct.Struct("!12x4s4x4s8xB7xH6xH2x")
_V6_TUPLE = struct.Struct("!12x16s4x16s8xB7xH6xH2x")


class Tcp(NamedTuple):
    """What the kernel knows of a TCP flow; scale and flags for each direction, original and reply."""

    state: int
    scales: tuple[int, int]
    flags: tuple[int, int]


class Flow(NamedTuple):
    """One flow through NAT. Addresses are packed, 4 or 16 bytes each."""

    protocol: int
    client: bytes
    client_port: int
    vip: bytes
    vip_port: int
    server: bytes
    server_port: int
    sender: bytes
    """Whom the server takes for its client: the VIP."""
    sender_port: int
    status: int
    timeout_s: int
    tcp: Tcp | None

    @property
    def key(self) -> "Key":
        return Key(*self[:5])


class Key(NamedTuple):
    """What tells one flow from another: its original tuple."""

    protocol: int
    client: bytes
    client_port: int
    vip: bytes
    vip_port: int


class Told(NamedTuple):
    """One event, or one line of a listing."""

    flow: Flow
    gone: bool


class Refused(NamedTuple):
    """The kernel's answer to the request with this number. `errno` 0: done."""

    number: int
    errno: int


# -- what the kernel says -------------------------------------------------------------------------------------------


def told_in(datagram: bytes) -> Iterator[Told]:
    """Every flow of TCP or UDP in a datagram of events or of a listing."""
    end, at = len(datagram), 0
    while at + _HEADER.size <= end:
        length, kind, _, _, _ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size or at + length > end:
            return
        if kind in (_NEW, _DELETE):
            flow = _flow(datagram, at + _BODY, at + length)
            if flow is not None:
                yield Told(flow, kind == _DELETE)
        at += (length + 3) & ~3


def refusals_in(datagram: bytes) -> Iterator[Refused]:
    """The answers to requests in a datagram."""
    for kind, number, at, end in _messages(datagram):
        if kind == _ERROR and end - at >= 4:
            yield Refused(number, -struct.unpack_from("=i", datagram, at)[0])


def is_end(datagram: bytes) -> bool:
    """Whether a listing ends with this datagram."""
    return any(kind in (_DONE, _ERROR) for kind, _, _, _ in _messages(datagram))


def _messages(datagram: bytes) -> Iterator[tuple[int, int, int, int]]:
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, _, number, _ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size or at + length > len(datagram):
            return
        yield kind, number, at + _HEADER.size, at + length
        at += (length + 3) & ~3


def _flow(data: bytes, at: int, end: int) -> Flow | None:
    original = reply = None
    status = timeout_s = 0
    tcp = None
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4 or at + length > end:
            return None
        kind &= 0x3FFF
        if kind == _TUPLE_ORIGINAL:
            original = _tuple(data, at, length)
            if original is None:
                return None
        elif kind == _TUPLE_REPLY:
            reply = _tuple(data, at, length)
        elif kind == _STATUS and length == 8:
            (status,) = _U32.unpack_from(data, at + 4)
        elif kind == _TIMEOUT and length == 8:
            (timeout_s,) = _U32.unpack_from(data, at + 4)
        elif kind == _PROTOINFO:
            tcp = _tcp(data, at + 4, at + length)
        at += (length + 3) & ~3
    if original is None or reply is None:
        return None
    client, vip, protocol, client_port, vip_port = original
    server, sender, _, server_port, sender_port = reply
    return Flow(
        *(protocol, client, client_port, vip, vip_port, server, server_port, sender, sender_port),
        *(status, timeout_s, tcp),
    )


def _tuple(data: bytes, at: int, length: int) -> tuple[bytes, bytes, int, int, int] | None:
    if length == _V4_LENGTH:
        found = _V4_TUPLE.unpack_from(data, at)
    elif length == _V6_LENGTH:
        found = _V6_TUPLE.unpack_from(data, at)
    else:
        return None
    return found if found[2] in (TCP, UDP) else None


def _tcp(data: bytes, at: int, end: int) -> Tcp | None:
    """CTA_PROTOINFO_TCP and what is in it."""
    if at + 4 > end or _ATTRIBUTE.unpack_from(data, at)[1] & 0x3FFF != 1:
        return None
    at += 4
    values = {}
    while at + 5 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 5 or at + length > end:
            return None
        values[kind & 0x3FFF] = data[at + 4]
        at += (length + 3) & ~3
    if 1 not in values:
        return None
    return Tcp(values[1], (values.get(2, 0), values.get(3, 0)), (values.get(4, 0), values.get(5, 0)))


# -- what the kernel is told ----------------------------------------------------------------------------------------


def listing(*, is_ipv6: bool) -> bytes:
    """Asks for every flow of a family, then `is_end`."""
    return _message(_GET, _F_DUMP, 1, is_ipv6, b"")


def deletion(key: Key, number: int) -> bytes:
    """End this flow. Refused with ENOENT where there is none."""
    return _message(_DELETE, 0, number, len(key.vip) == 16, _original(key))


def creation(flow: Flow, number: int) -> bytes:
    """A new flow as another machine knows it; refused with EEXIST where there is one of the same original tuple.

    The reply tuple is the plain inverse and the translation is said beside it: an entry that is made with a translated
    reply tuple is not taken to be translated. Sequence numbers are not known here, so the flow is to be liberal.
    """
    forth = (flow.protocol, flow.client, flow.client_port, flow.vip, flow.vip_port)
    back = (flow.protocol, flow.vip, flow.vip_port, flow.client, flow.client_port)
    body = _nested(_TUPLE_ORIGINAL, _tuple_of(*forth)) + _nested(_TUPLE_REPLY, _tuple_of(*back))
    body += _translation(_NAT_DST, flow.server, flow.server_port)
    body += _translation(_NAT_SRC, flow.sender, flow.sender_port)
    return _message(_NEW, _F_CREATE | _F_EXCL, number, len(flow.vip) == 16, body + _state(flow))


def update(flow: Flow, number: int) -> bytes:
    """The state of a flow that is known. Refused with ENOENT where it is not."""
    return _message(_NEW, 0, number, len(flow.vip) == 16, _original(flow.key) + _state(flow))


def _state(flow: Flow) -> bytes:
    status = flow.status & (SEEN_REPLY | ASSURED) | CONFIRMED
    body = _number(_STATUS, status) + _number(_TIMEOUT, max(1, flow.timeout_s))
    if flow.tcp is not None:
        state, scales, flags = flow.tcp
        inside = _byte(1, state) + _byte(2, scales[0]) + _byte(3, scales[1])
        inside += b"".join(_attribute(4 + i, bytes((flags[i] | BE_LIBERAL, flags[i] | BE_LIBERAL))) for i in (0, 1))
        body += _nested(_PROTOINFO, _nested(1, inside))
    return body


def _original(key: Key) -> bytes:
    return _nested(_TUPLE_ORIGINAL, _tuple_of(*key))


def _tuple_of(protocol: int, source: bytes, source_port: int, target: bytes, target_port: int) -> bytes:
    first = 1 if len(source) == 4 else 3
    addresses = _nested(1, _attribute(first, source) + _attribute(first + 1, target))
    return addresses + _nested(2, _byte(1, protocol) + _port(2, source_port) + _port(3, target_port))


def _translation(kind: int, address: bytes, port: int) -> bytes:
    first = 1 if len(address) == 4 else 4
    ends = _attribute(first, address) + _attribute(first + 1, address)
    return _nested(kind, ends + _nested(3, _port(1, port) + _port(2, port)))


def _message(kind: int, flags: int, number: int, is_ipv6: bool, body: bytes) -> bytes:
    family = _FAMILY.pack(_INET6 if is_ipv6 else _INET, 0, 0)
    return _HEADER.pack(_BODY + len(body), kind, flags | _F_REQUEST, number, 0) + family + body


def acknowledged(request: bytes) -> bytes:
    """The same request, answered also when it is done."""
    length, kind, flags, number, portid = _HEADER.unpack_from(request)
    return _HEADER.pack(length, kind, flags | _F_ACK, number, portid) + request[_HEADER.size :]


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length & 3)


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _byte(kind: int, value: int) -> bytes:
    return _attribute(kind, bytes((value,)))


def _port(kind: int, value: int) -> bytes:
    return _attribute(kind, value.to_bytes(2, "big"))


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, _U32.pack(value))
