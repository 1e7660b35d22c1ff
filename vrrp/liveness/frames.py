"""What is said on the liveness link, once both ends know each other: values to bytes and back. Pure.

The first byte is the kind. A name is one byte of length and UTF-8, an address one byte of length (4 or 16) and as many.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

from vrrp.config import Address

_HELLO_NUMBERS = struct.Struct("!QQB")
_NAME_BYTES = 255
_PAYLOAD_LIMIT_BYTES = 60_000
"""Leaves room for everything else in a frame of the session."""


class FrameReason(Enum):
    """What is wrong with a frame."""

    KIND = "kind"
    LENGTH = "length"
    TEXT = "text"
    ADDRESS = "address"


class FrameRejected(Exception):  # noqa: N818 - the house word for hostile input
    """These bytes are no frame."""

    def __init__(self, reason: FrameReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing but that we are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Who speaks. The first frame each way; again whenever it has changed."""

    node: str
    epoch: int
    """When the process started, in seconds of the Unix epoch, by its own clock."""
    incarnation: int
    """A random number of the process's own: a machine whose clock has no battery may start twice at the same time."""
    sources: Mapping[str, Address] = field(default_factory=dict)
    """By the name of the virtual router: where its advertisements come from. At most 255."""


@dataclass(frozen=True, slots=True)
class Advert:
    """An advertisement, as it was sent on the LAN too."""

    router: str
    source: Address
    payload: bytes
    """Of the IP packet."""


@dataclass(frozen=True, slots=True)
class Message:
    """For whoever uses the link: its own business."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Bye:
    """The sender lives, and ends this connection."""

    reason: str


Frame = Alive | Hello | Advert | Message | Bye

_ALIVE, _HELLO, _ADVERT, _MESSAGE, _BYE = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


def encode(frame: Frame) -> bytes:
    """The body of a session's frame. Raises ValueError on what has no room in it."""
    match frame:
        case Alive():
            return _ALIVE
        case Hello():
            return _HELLO + _encode_hello(frame)
        case Advert(router, source, payload):
            return _ADVERT + _name(router) + _address(source) + _payload(payload)
        case Message(data):
            return _MESSAGE + _payload(data)
        case Bye(reason):
            return _BYE + _name(reason.encode()[:_NAME_BYTES].decode(errors="ignore"))


def decode(body: bytes) -> Frame:
    """Raises FrameRejected."""
    kind, reader = body[:1], _Reader(body, 1)
    match kind:
        case b"\x01":
            reader.finish()
            return Alive()
        case b"\x02":
            return _decode_hello(reader)
        case b"\x03":
            return Advert(reader.name(), reader.address(), reader.rest())
        case b"\x04":
            return Message(reader.rest())
        case b"\x05":
            reason = reader.name()
            reader.finish()
            return Bye(reason)
    raise FrameRejected(FrameReason.KIND, f"{kind.hex() or 'an empty frame'} is not known")


def _encode_hello(hello: Hello) -> bytes:
    if len(hello.sources) > 255:
        raise ValueError(f"{len(hello.sources)} virtual routers are too many: at most 255")
    sources = b"".join(_name(name) + _address(source) for name, source in hello.sources.items())
    return _name(hello.node) + _HELLO_NUMBERS.pack(hello.epoch, hello.incarnation, len(hello.sources)) + sources


def _decode_hello(reader: "_Reader") -> Hello:
    node = reader.name()
    epoch, incarnation, count = _HELLO_NUMBERS.unpack(reader.take(_HELLO_NUMBERS.size))
    sources = {}
    for _ in range(count):
        name = reader.name()
        sources[name] = reader.address()
    reader.finish()
    return Hello(node=node, epoch=epoch, incarnation=incarnation, sources=sources)


def _name(text: str) -> bytes:
    data = text.encode()
    if len(data) > _NAME_BYTES:
        raise ValueError(f"{text[:40]!r}... is too long: at most {_NAME_BYTES} bytes")
    return bytes((len(data),)) + data


def _address(address: Address) -> bytes:
    return bytes((len(address.packed),)) + address.packed


def _payload(data: bytes) -> bytes:
    if len(data) > _PAYLOAD_LIMIT_BYTES:
        raise ValueError(f"{len(data)} bytes are too many for one frame: at most {_PAYLOAD_LIMIT_BYTES}")
    return data


class _Reader:
    """Takes a body apart from its front."""

    def __init__(self, body: bytes, at: int) -> None:
        self._body, self._at = body, at

    def take(self, size: int) -> bytes:
        taken = self._body[self._at : self._at + size]
        if len(taken) < size:
            raise FrameRejected(FrameReason.LENGTH, f"it ends after {len(self._body)} bytes")
        self._at += size
        return taken

    def rest(self) -> bytes:
        return self._body[self._at :]

    def finish(self) -> None:
        if self._at != len(self._body):
            raise FrameRejected(FrameReason.LENGTH, f"{len(self._body) - self._at} bytes too many")

    def name(self) -> str:
        try:
            return self.take(self.take(1)[0]).decode()
        except UnicodeDecodeError:
            raise FrameRejected(FrameReason.TEXT, "not UTF-8") from None

    def address(self) -> Address:
        packed = self.take(self.take(1)[0])
        match len(packed):
            case 4:
                return IPv4Address(packed)
            case 16:
                return IPv6Address(packed)
        raise FrameRejected(FrameReason.ADDRESS, f"an address of {len(packed)} bytes")
