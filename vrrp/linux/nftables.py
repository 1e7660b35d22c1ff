"""nf_tables over netlink: requests to bytes, answers and events to values (linux/netfilter/nf_tables.h). Pure.

Not by the nft program: what a table's owner makes goes away with the socket that made it, so the socket has to be ours.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NETLINK_NETFILTER = 12
GROUP_NFTABLES = 7
"""The multicast group of its events."""

IPV4, ARP, IPV6 = 2, 3, 10

NEW_TABLE, DELETE_TABLE, NEW_CHAIN, NEW_RULE, GET_RULE, NEW_SET = 0, 2, 3, 6, 7, 9
NEW_ELEMENTS, DELETE_ELEMENTS, NEW_GENERATION = 12, 14, 15
REMOVALS = frozenset((DELETE_TABLE, 5, 8))
"""Of a table, of a chain, of a rule."""

DROP, ACCEPT = 0, 1
NETWORK_HEADER, TRANSPORT_HEADER = 1, 2
MARK, IIFNAME, OIFNAME, L4PROTO = 3, 6, 7, 16
EQUAL, NOT_EQUAL, AT_MOST, AT_LEAST = 0, 1, 3, 5
FIRST_REGISTER = 8
"""The registers are sixteen words of 4 bytes; a value of several words lies in several registers."""

NAME_BYTES = 16
"""An interface's name, filled up with zeros."""

_HEADER, _FAMILY, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("!BBH"), struct.Struct("=HH")
_SUBSYSTEM = 10
_BATCH_BEGIN, _BATCH_END, _NLMSG_ERROR, _NLMSG_DONE = 16, 17, 2, 3
_F_REQUEST, _F_ACK, _F_DUMP, _F_CREATE, _F_APPEND = 0x1, 0x4, 0x300, 0x400, 0x800
_NESTED = 0x8000
_TABLE_OWNER, _SET_CONSTANT = 0x2, 0x2
_ANY_SET_ID = 1  # the kernel wants one and we say names
_ELEMENTS_A_MESSAGE = 1000  # an attribute ends at 64 KiB


@dataclass(frozen=True, slots=True)
class Table:
    """What tells one table from another."""

    family: int
    name: str


@dataclass(frozen=True, slots=True)
class Request:
    """One message, without what only a batch can know."""

    kind: int
    table: Table
    attributes: bytes
    flags: int = 0


@dataclass(frozen=True, slots=True)
class SetKey:
    """What a set's keys are. `data_type` is nft's own number for it, which makes its listings readable."""

    data_type: int
    length: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the request with this number in its batch, counted from 1; 0: the batch as a whole."""

    number: int
    errno: int
    """0: done."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An event, or a line of a listing."""

    kind: int
    table: Table | None
    portid: int
    """Whose request it was: the netlink socket's number."""


ADDRESS_KEYS = {IPV4: SetKey(7, 4), ARP: SetKey(7, 4), IPV6: SetKey(8, 16)}


def with_interface(key: SetKey) -> SetKey:
    """A key and the name of an interface after it."""
    return SetKey(key.data_type << 6 | 41, key.length + NAME_BYTES)


# -- requests -------------------------------------------------------------------------------------------------------


def add_table(table: Table, *, owned: bool = False) -> Request:
    """No error where it exists. `owned`: nobody else may touch it, and it ends with the socket that made it."""
    flags = _number(2, _TABLE_OWNER) if owned else b""
    return Request(NEW_TABLE, table, _text(1, table.name) + flags, _F_CREATE)


def delete_table(table: Table) -> Request:
    """With all that is in it; ENOENT where there is none."""
    return Request(DELETE_TABLE, table, _text(1, table.name))


def add_chain(table: Table, name: str, *, hook: int, priority: int) -> Request:
    """A chain of type filter that accepts what no rule drops."""
    where = _nested(4, _number(1, hook), _attribute(2, struct.pack("!i", priority)))
    policy, kind = _number(5, ACCEPT), _text(7, "filter")
    return Request(NEW_CHAIN, table, _text(1, table.name) + _text(3, name) + where + policy + kind, _F_CREATE)


def add_rule(table: Table, chain: str, *expressions: bytes) -> Request:
    """At the end of its chain."""
    wrapped = (_nested(1, expression) for expression in expressions)
    body = _text(1, table.name) + _text(2, chain) + _nested(4, *wrapped)
    return Request(NEW_RULE, table, body, _F_CREATE | _F_APPEND)


def list_rules(table: Table) -> bytes:
    """The whole datagram: it asks for a Notice of NEW_RULE for each rule of a table, then `is_end`."""
    return _message(_SUBSYSTEM << 8 | GET_RULE, _F_DUMP, 1, table.family, 0, _text(1, table.name))


def add_set(table: Table, name: str, key: SetKey, *, constant: bool = False) -> Request:
    """`constant`: nobody can change what is in it any more once a rule uses it."""
    flags, kind = _number(3, _SET_CONSTANT if constant else 0), _number(4, key.data_type)
    body = flags + kind + _number(5, key.length) + _number(10, _ANY_SET_ID)
    return Request(NEW_SET, table, _text(1, table.name) + _text(2, name) + body, _F_CREATE)


def add_elements(table: Table, name: str, keys: Iterable[bytes]) -> list[Request]:
    """No error for those that are in the set."""
    return [Request(NEW_ELEMENTS, table, body, _F_CREATE) for body in _elements(table, name, keys)]


def delete_elements(table: Table, name: str, keys: Iterable[bytes]) -> list[Request]:
    """ENOENT where one is not in the set."""
    return [Request(DELETE_ELEMENTS, table, body) for body in _elements(table, name, keys)]


def _elements(table: Table, name: str, keys: Iterable[bytes]) -> Iterator[bytes]:
    each = [_nested(1, _nested(1, _attribute(1, key))) for key in keys]
    for start in range(0, len(each), _ELEMENTS_A_MESSAGE):
        some = _nested(3, *each[start : start + _ELEMENTS_A_MESSAGE])
        yield _text(1, table.name) + _text(2, name) + some


# -- expressions of a rule ------------------------------------------------------------------------------------------


def load_payload(base: int, offset: int, length: int, *, register: int = FIRST_REGISTER) -> bytes:
    """Bytes of the packet to a register."""
    return _expression("payload", *map(_number, (1, 2, 3, 4), (register, base, offset, length)))


def store_payload(base: int, offset: int, length: int) -> bytes:
    """The register to the packet, where no checksum is concerned."""
    return _expression("payload", *map(_number, (5, 2, 3, 4), (FIRST_REGISTER, base, offset, length)))


def load_meta(key: int, *, register: int = FIRST_REGISTER) -> bytes:
    """What the kernel knows of the packet to a register."""
    return _expression("meta", _number(1, register), _number(2, key))


def load_value(value: bytes) -> bytes:
    """A constant to the register."""
    return _expression("immediate", _number(1, FIRST_REGISTER), _nested(2, _attribute(1, value)))


def store_mark() -> bytes:
    """The register, 4 bytes in the machine's order, becomes the packet's mark."""
    return _expression("meta", _number(2, MARK), _number(3, FIRST_REGISTER))


def compare(how: int, value: bytes) -> bytes:
    """Go on with the next expression where the register compares so, else with the next rule."""
    return _expression("cmp", _number(1, FIRST_REGISTER), _number(2, how), _nested(3, _attribute(1, value)))


def in_set(name: str) -> bytes:
    """Go on where the registers' value is in a set of the table."""
    return _expression("lookup", _text(1, name), _number(2, FIRST_REGISTER))


def count() -> bytes:
    """Count the packet."""
    return _expression("counter")


def verdict(code: int) -> bytes:
    """DROP or ACCEPT."""
    return _expression("immediate", _number(1, 0), _nested(2, _nested(2, _number(1, code))))


# -- datagrams ------------------------------------------------------------------------------------------------------


def batch(requests: Iterable[Request]) -> bytes:
    """The datagram that does all of them at one instant, or none. Answered: errors, and success of the last."""
    messages = [_message(_BATCH_BEGIN, 0, 0, 0, _SUBSYSTEM, b"")]
    requests = tuple(requests)
    for number, request in enumerate(requests, 1):
        flags = request.flags | (_F_ACK if number == len(requests) else 0)
        kind = _SUBSYSTEM << 8 | request.kind
        messages.append(_message(kind, flags, number, request.table.family, 0, request.attributes))
    messages.append(_message(_BATCH_END, 0, 0, 0, _SUBSYSTEM, b""))
    return b"".join(messages)


def answers_in(datagram: bytes) -> Iterator[Answer]:
    """The answers to a batch in one datagram."""
    for kind, number, _, body in _messages(datagram):
        if kind == _NLMSG_ERROR and len(body) >= 4:
            yield Answer(number, -struct.unpack_from("=i", body)[0])


def notices_in(datagram: bytes) -> Iterator[Notice]:
    """The events, or lines of a listing, in one datagram."""
    for kind, _, portid, body in _messages(datagram):
        if kind >> 8 == _SUBSYSTEM and len(body) >= _FAMILY.size:
            yield Notice(kind & 0xFF, _table_in(kind & 0xFF, body), portid)


def is_end(datagram: bytes) -> bool:
    """Whether a listing ends with this datagram."""
    return any(kind in (_NLMSG_DONE, _NLMSG_ERROR) for kind, _, _, _ in _messages(datagram))


def _table_in(kind: int, body: bytes) -> Table | None:
    if kind >= NEW_GENERATION:
        return None
    # Whatever a message is about, its first attribute but for padding is the name of a table.
    for attribute, value in _attributes(body[_FAMILY.size :]):
        if attribute == 1:
            return Table(body[0], value.rstrip(b"\0").decode(errors="replace"))
    return None


def _messages(datagram: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, sequence number, port id and body of each; an end that makes no sense is left out."""
    while len(datagram) >= _HEADER.size:
        length, kind, _, number, portid = _HEADER.unpack_from(datagram)
        if not _HEADER.size <= length <= len(datagram):
            return
        yield kind, number, portid, datagram[_HEADER.size : length]
        datagram = datagram[_padded(length) :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if not _ATTRIBUTE.size <= length <= len(data):
            return
        yield kind & 0x3FFF, data[_ATTRIBUTE.size : length]
        data = data[_padded(length) :]


def _message(kind: int, flags: int, number: int, family: int, resource: int, attributes: bytes) -> bytes:
    length = _HEADER.size + _FAMILY.size + len(attributes)
    header = _HEADER.pack(length, kind, flags | _F_REQUEST, number, 0)
    return header + _FAMILY.pack(family, 0, resource) + attributes


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_padded(length) - length)


def _nested(kind: int, *attributes: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(attributes))


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("!I", number))


def _expression(name: str, *attributes: bytes) -> bytes:
    return _text(1, name) + _nested(2, *attributes)


def _padded(length: int) -> int:
    return (length + 3) & ~3
