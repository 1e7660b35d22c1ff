"""Frames (RFC 9113 sections 4 and 6): bytes to frames, payloads without padding, and frames to bytes. Pure."""

import struct
from typing import Final, NamedTuple

from balancer.http2.errors import Reason, Violation

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

HEADER_BYTES: Final = 9

_HEADER = struct.Struct(">IBI")  # the length's three bytes and the type together
_LONG = struct.Struct(">I")
_SETTING = struct.Struct(">HI")
_GOAWAY = struct.Struct(">II")
_IDENTIFIER = 0x7FFF_FFFF


class Frame(NamedTuple):
    """One frame as received. `kind` may be one that nobody knows."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes


class FrameReader:
    """Takes bytes piece by piece. A frame that is too large is refused by its header, not kept first."""

    __slots__ = ("_at", "_data", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = b""
        self._at = 0

    def add(self, data: bytes) -> None:
        """Take what was received."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def next(self) -> Frame | None:
        """The next whole frame, or None. Raises Violation."""
        data, at = self._data, self._at
        if len(data) - at < HEADER_BYTES:
            return None
        length_and_kind, flags, stream_id = _HEADER.unpack_from(data, at)
        length = length_and_kind >> 8
        if length > self._max_bytes:
            raise Violation(Reason.FRAME_TOO_LARGE)
        begin = at + HEADER_BYTES
        if len(data) < begin + length:
            return None
        self._at = begin + length
        return Frame(length_and_kind & 0xFF, flags, stream_id & _IDENTIFIER, data[begin : begin + length])

    @property
    def partial(self) -> bool:
        """A frame has begun and is not whole."""
        return self._at < len(self._data)


def without_padding(frame: Frame) -> bytes:
    """The payload of a DATA or HEADERS frame between its padding, without the priority. Raises Violation."""
    payload, begin, padding = frame.payload, 0, 0
    if frame.flags & PADDED:
        if not payload:
            raise Violation(Reason.FRAME_TOO_SHORT)
        begin, padding = 1, payload[0]
    if frame.kind == HEADERS and frame.flags & WITH_PRIORITY:
        begin += 5
        if len(payload) < begin:
            raise Violation(Reason.FRAME_TOO_SHORT)
    if begin + padding > len(payload):
        raise Violation(Reason.PADDING)
    return payload[begin : len(payload) - padding]


def number(payload: bytes) -> int:
    """A payload of four bytes: an error code, or an increment with a reserved bit."""
    value: int = _LONG.unpack(payload)[0]
    return value


def settings_of(payload: bytes) -> list[tuple[int, int]]:
    """Identifiers and values, in order. The length must be a multiple of 6."""
    return list(_SETTING.iter_unpack(payload))


def frame(kind: int, flags: int, stream_id: int, payload: bytes | bytearray = b"") -> bytes:
    return _HEADER.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def reset(stream_id: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream_id, _LONG.pack(code))


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in values.items()))


def goaway(last_stream_id: int, code: int, why: str = "") -> bytes:
    return frame(GOAWAY, 0, 0, _GOAWAY.pack(last_stream_id, code) + why.encode("ascii"))
