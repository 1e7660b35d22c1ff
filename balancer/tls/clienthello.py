"""The server name in a ClientHello, read without taking part in the handshake (RFC 8446 section 4.1.2, RFC 6066). Pure.

`server_name` is given what has come so far, from the first byte on. Records may cut the message anywhere. What matters
is read and the rest skipped: whether the handshake comes to a good end is between the two sides.
"""

from __future__ import annotations

from enum import Enum

LARGEST = 16_384
"""Of a ClientHello with its record headers. Those of today, with post-quantum key shares, have 2 KiB."""
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 0x16, 0x01, 0, 0
_RECORD_BYTES = 16_384


class Reason(Enum):
    """Why bytes are no ClientHello."""

    NOT_TLS = "it does not begin with a TLS record"
    NOT_A_CLIENT_HELLO = "the handshake does not begin with a ClientHello"
    TOO_LARGE = "the ClientHello is too large"
    MALFORMED = "the ClientHello is malformed"


class BadClientHello(Exception):  # noqa: N818 - named for what it is about
    """Bytes that are no ClientHello."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class _Cursor:
    """A place in some bytes. Going beyond their end is MALFORMED."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise BadClientHello(Reason.MALFORMED)
        taken, self._at = self._data[self._at : end], end
        return taken

    def vector(self, size_bytes: int) -> bytes:
        """What follows its own length."""
        return self.take(int.from_bytes(self.take(size_bytes), "big"))

    @property
    def left(self) -> int:
        return len(self._data) - self._at


def server_name(buffer: bytes) -> str | None:
    """The name in lower case, "" where the client asks for none, None while the ClientHello is incomplete.

    Raises BadClientHello, always for the same first bytes, however they came.
    """
    message = _message(buffer)
    if message is None:
        if len(buffer) >= LARGEST:
            raise BadClientHello(Reason.TOO_LARGE)
        return None
    return _name_in(message)


def _message(buffer: bytes) -> bytes | None:
    """The body of the handshake message, put together from its records."""
    message, at = b"", 0
    while True:
        if at < len(buffer) and buffer[at] != _HANDSHAKE:
            raise BadClientHello(Reason.MALFORMED if at else Reason.NOT_TLS)
        if at + 1 < len(buffer) and buffer[at + 1] != 3:
            raise BadClientHello(Reason.MALFORMED if at else Reason.NOT_TLS)
        if at + 5 > len(buffer):
            return None
        size = int.from_bytes(buffer[at + 3 : at + 5], "big")
        if not 0 < size <= _RECORD_BYTES:
            raise BadClientHello(Reason.MALFORMED if at else Reason.NOT_TLS)
        message += buffer[at + 5 : at + 5 + size]
        if message and message[0] != _CLIENT_HELLO:
            raise BadClientHello(Reason.NOT_A_CLIENT_HELLO)
        if len(message) >= 4:
            length = int.from_bytes(message[1:4], "big")
            if length + 4 > LARGEST:
                raise BadClientHello(Reason.TOO_LARGE)
            if len(message) >= 4 + length:
                return message[4 : 4 + length]
        if len(buffer) < at + 5 + size:
            return None
        at += 5 + size


def _name_in(message: bytes) -> str:
    hello = _Cursor(message)
    hello.take(2 + 32)  # version, random
    for size_bytes in (1, 2, 1):  # session, cipher suites, compression methods
        hello.vector(size_bytes)
    if not hello.left:
        return ""
    extensions = _Cursor(hello.vector(2))
    while extensions.left:
        kind = int.from_bytes(extensions.take(2), "big")
        data = extensions.vector(2)
        if kind == _SERVER_NAME:
            return _host_name(_Cursor(data))
    return ""


def _host_name(extension: _Cursor) -> str:
    names = _Cursor(extension.vector(2))
    while names.left:
        kind, name = names.take(1)[0], names.vector(2)
        if kind == _HOST_NAME:
            if not name or not name.isascii() or any(byte <= 0x20 or byte == 0x7F for byte in name):
                raise BadClientHello(Reason.MALFORMED)
            return name.decode("ascii").lower().removesuffix(".")
    return ""
