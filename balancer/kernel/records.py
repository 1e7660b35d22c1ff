"""Flows on their way to the other node: values to bytes and back. Pure.

A record is one flow: how it is, or that it is gone. Records of one family have one length, so a frame is a run of them.
"""

import struct
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from balancer.kernel.conntrack import TCP, TCP_STATES, UDP, Flow, Tcp

_GONE, _HAS_TCP, _IPV6 = 0x01, 0x02, 0x04
_KNOWN = _GONE | _HAS_TCP | _IPV6
_V4 = struct.Struct("!BB4sH4sH4sH4sHII5B")
_V6 = struct.Struct("!BB16sH16sH16sH16sHII5B")
LONGEST_BYTES = _V6.size
_TIMEOUT_LIMIT_S = 30 * 86_400
_LARGEST_SCALE = 14  # RFC 7323 section 2.3


class RecordReason(Enum):
    """What is wrong with a record."""

    LENGTH = "length"
    FLAGS = "flags"
    PROTOCOL = "protocol"
    STATE = "state"


class RecordRejected(Exception):  # noqa: N818 - the house word for hostile input
    """These bytes are no flows."""

    def __init__(self, reason: RecordReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason


class Record(NamedTuple):
    """What the other node is told of one flow."""

    flow: Flow
    gone: bool


def encode(records: Iterable[Record]) -> bytes:
    """One after the other."""
    return b"".join(map(_encode, records))


def _encode(record: Record) -> bytes:
    flow, gone = record
    is_ipv6 = len(flow.vip) == 16
    flags = (_GONE if gone else 0) | (_HAS_TCP if flow.tcp else 0) | (_IPV6 if is_ipv6 else 0)
    state, scales, sides = flow.tcp or (0, (0, 0), (0, 0))
    timeout_s = min(flow.timeout_s, _TIMEOUT_LIMIT_S)
    form = _V6 if is_ipv6 else _V4
    return form.pack(flags, *flow[:9], flow.status, timeout_s, state, *scales, *sides)


def decode(data: bytes) -> Iterator[Record]:
    """Raises RecordRejected."""
    at = 0
    while at < len(data):
        form = _V6 if data[at] & _IPV6 else _V4
        if len(data) - at < form.size:
            raise RecordRejected(RecordReason.LENGTH, f"{len(data) - at} bytes of a record of {form.size}")
        yield _decode(*form.unpack_from(data, at))
        at += form.size


def _decode(flags: int, protocol: int, *rest: Any) -> Record:
    ends, (status, timeout_s, state, *scales_and_sides) = rest[:8], rest[8:]
    scales, sides = tuple(scales_and_sides[:2]), tuple(scales_and_sides[2:])
    if flags & ~_KNOWN:
        raise RecordRejected(RecordReason.FLAGS, f"{flags:#x}")
    if protocol not in (TCP, UDP) or (protocol == UDP and flags & _HAS_TCP):
        raise RecordRejected(RecordReason.PROTOCOL, f"{protocol}, with flags {flags:#x}")
    if flags & _HAS_TCP and (state not in TCP_STATES or max(scales) > _LARGEST_SCALE):
        raise RecordRejected(RecordReason.STATE, f"TCP state {state}, window scales {scales}")
    if protocol == TCP and not flags & (_HAS_TCP | _GONE):
        raise RecordRejected(RecordReason.STATE, "a flow of TCP that says no state")
    tcp = Tcp(state, (scales[0], scales[1]), (sides[0], sides[1])) if flags & _HAS_TCP else None
    flow = Flow(*(protocol, *ends, status, min(timeout_s, _TIMEOUT_LIMIT_S), tcp))
    return Record(flow, bool(flags & _GONE))
