"""Which events of conntrack are worth waking up for, as a program for the kernel (classic BPF). Pure.

A flow of TCP makes half a dozen of them, and whoever follows the kernel's table for the peer needs two: that the
handshake is over, and that nothing more comes. The others, and those of flows to elsewhere, are thrown away before they
are queued. The rules of balancer.kernel.ruleset see to it that some are not even made.

Offsets are those of messages as balancer.kernel.conntrack reads them: the original tuple comes first.
"""

import struct
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from balancer.kernel.conntrack import TCP, UDP

Step = tuple[int, int, int, int]
"""Code, how many to skip where a jump's condition holds and where it does not, operand."""


class _Line(NamedTuple):
    """A step that is yet to know how far it is to where it leads. A label is a line of its own."""

    code: int
    operand: int = 0
    then: str = ""
    otherwise: str = ""
    label: str = ""


_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _LOAD_BYTE_AT_X, _LOAD_NUMBER = 0x20, 0x28, 0x30, 0x50, 0x00
_X_NUMBER, _X_IS_A, _JUMP, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x01, 0x07, 0x05, 0x15, 0x35, 0x06
_ATTRIBUTE, _NESTED_ATTRIBUTE = 0xFFFFF00C, 0xFFFFF010
"""Loads from these find the attribute of type X, from A on or nested in the one at A: its offset, or 0."""
_TYPE_AT, _FAMILY_AT, _FIRST_ATTRIBUTE = 4, 16, 20
_PROTOINFO, _PROTOINFO_TCP, _STATE = 4, 1, 1
_GONE = struct.unpack(">H", struct.pack("=H", 0x102))[0]
"""The type of a message is in the machine's order, and is loaded as if it were in the network's."""
_ESTABLISHED, _TIME_WAIT = 3, 7
_MOST_VIPS = 200
"""Of a family: with more than that, flows to elsewhere are taken too. A program may have 4096 steps."""


def program(vips: Collection[bytes]) -> Sequence[Step]:
    """Takes what concerns flows to these addresses (packed). Of TCP: the end of the handshake, TIME_WAIT and CLOSE, and
    the end of a flow that had come to none of the two."""
    lines = [
        _Line(_LOAD_BYTE, _FAMILY_AT),
        *_family("IPv4", 2, 40, 52, [vip for vip in vips if len(vip) == 4]),
        *_family("IPv6", 10, 52, 76, [vip for vip in vips if len(vip) == 16]),
        *_leave(),
        *_tcp(),
    ]
    return _assembled(lines)


def _family(name: str, number: int, target_at: int, protocol_at: int, vips: Sequence[bytes]) -> Iterator[_Line]:
    yield _Line(_IF_EQUAL, number, then=f"{name} 0", otherwise=f"{name} not")
    yield _at(f"{name} not")
    yield _Line(_JUMP, then=f"{name} end")
    yield _at(f"{name} 0")
    if len(vips) <= _MOST_VIPS:
        yield from _targets(name, target_at, vips)
    yield _at(f"{name} ours")
    yield _Line(_LOAD_BYTE, protocol_at)
    yield _Line(_IF_EQUAL, TCP, then=f"{name} tcp", otherwise=f"{name} other")
    yield _at(f"{name} tcp")
    yield _Line(_JUMP, then="tcp")
    yield _at(f"{name} other")
    yield _Line(_IF_EQUAL, UDP, then=f"{name} udp", otherwise=f"{name} leave")
    yield _at(f"{name} udp")
    yield _Line(_RETURN, 0xFFFFFFFF)
    yield _at(f"{name} leave")
    yield from _leave()
    yield _at(f"{name} end")


def _targets(name: str, target_at: int, vips: Sequence[bytes]) -> Iterator[_Line]:
    for number, vip in enumerate(sorted(vips), 1):
        for part, (word,) in enumerate(struct.iter_unpack("!I", vip)):
            yield _Line(_LOAD_WORD, target_at + 4 * part)
            yield _Line(_IF_EQUAL, word, then=f"{name} {number} part {part}", otherwise=f"{name} {number}")
            yield _at(f"{name} {number} part {part}")
        yield _Line(_JUMP, then=f"{name} ours")
        yield _at(f"{name} {number}")
    yield from _leave()


def _tcp() -> Iterator[_Line]:
    """A message that does not tell the state is of no use, unless it is the last one of a flow."""
    yield _at("tcp")
    yield _Line(_LOAD_NUMBER, _FIRST_ATTRIBUTE)
    for depth, kind in enumerate((_PROTOINFO, _PROTOINFO_TCP, _STATE)):
        yield _Line(_X_NUMBER, kind)
        yield _Line(_LOAD_WORD, _NESTED_ATTRIBUTE if depth else _ATTRIBUTE)
        yield _Line(_IF_EQUAL, 0, then="only an end", otherwise=f"found {depth}")
        yield _at(f"found {depth}")
    yield _Line(_X_IS_A)
    yield _Line(_LOAD_BYTE_AT_X, 4)
    yield _Line(_IF_EQUAL, _ESTABLISHED, then="take", otherwise="not established")
    yield _at("not established")
    yield _Line(_IF_AT_LEAST, _TIME_WAIT, then="over", otherwise="between")
    yield _at("between")
    yield _Line(_IF_AT_LEAST, _ESTABLISHED, then="only an end", otherwise="leave")
    yield _at("over")
    yield _Line(_LOAD_HALF, _TYPE_AT)
    yield _Line(_IF_EQUAL, _GONE, then="leave", otherwise="take")
    yield _at("only an end")
    yield _Line(_LOAD_HALF, _TYPE_AT)
    yield _Line(_IF_EQUAL, _GONE, then="take", otherwise="leave")
    yield _at("take")
    yield _Line(_RETURN, 0xFFFFFFFF)
    yield _at("leave")
    yield from _leave()


def _leave() -> Iterator[_Line]:
    yield _Line(_RETURN, 0)


def _at(label: str) -> _Line:
    return _Line(0, label=label)


def _assembled(lines: Sequence[_Line]) -> Sequence[Step]:
    steps: list[_Line] = []
    labels: dict[str, int] = {}
    for line in lines:
        if line.label:
            assert line.label not in labels
            labels[line.label] = len(steps)
        else:
            steps.append(line)
    return [_step(line, at + 1, labels) for at, line in enumerate(steps)]


def _step(line: _Line, after: int, labels: dict[str, int]) -> Step:
    if line.code == _JUMP:
        return (_JUMP, 0, 0, labels[line.then] - after)
    if line.then:
        return (line.code, labels[line.then] - after, labels[line.otherwise] - after, line.operand)
    return (line.code, 0, 0, line.operand)
