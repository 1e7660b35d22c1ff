"""What the two flows processes say to each other: values to bytes and back. Pure.

The first byte is the kind, the rest is as the kind has it; records are those of balancer.kernel.records.
"""

import struct
from dataclasses import dataclass

_NUMBER = struct.Struct("!Q")


@dataclass(frozen=True, slots=True)
class Begin:
    """Everything is told anew from here on."""


@dataclass(frozen=True, slots=True)
class End:
    """Everything was told."""


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing but that we are there."""


@dataclass(frozen=True, slots=True)
class Flows:
    """Some records. `number` counts within a conversation, from 1."""

    number: int
    records: bytes


@dataclass(frozen=True, slots=True)
class Entered:
    """What came with this number, and all before it, is in the kernel."""

    number: int


Frame = Begin | End | Alive | Flows | Entered


class FrameError(Exception):
    """These bytes are no frame."""


def encode(frame: Frame) -> bytes:
    """The body of a session's frame."""
    match frame:
        case Begin():
            return b"B"
        case End():
            return b"E"
        case Alive():
            return b"K"
        case Flows(number, records):
            return b"F" + _NUMBER.pack(number) + records
        case Entered(number):
            return b"A" + _NUMBER.pack(number)


_BARE: dict[bytes, Frame] = {b"B": Begin(), b"E": End(), b"K": Alive()}


def decode(body: bytes) -> Frame:
    """Raises FrameError."""
    if (frame := _BARE.get(body)) is not None:
        return frame
    kind, length = body[:1], len(body)
    if kind == b"F" and length > _NUMBER.size:
        return Flows(_NUMBER.unpack_from(body, 1)[0], body[1 + _NUMBER.size :])
    if kind == b"A" and length == 1 + _NUMBER.size:
        return Entered(_NUMBER.unpack_from(body, 1)[0])
    raise FrameError(f"{length} bytes of kind {kind.hex() or 'none'}")
