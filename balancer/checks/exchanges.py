"""Conversations of checks with servers, as generators: bytes out, bytes in. Pure.

An exchange yields what is to be sent (empty: nothing) and is sent what came next, empty at the end of the stream. It
returns a Passed, or raises Unhealthy.
"""

import struct
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from balancer.config_checks import CheckStep

Exchange = Generator[bytes, bytes, "Passed"]

LARGEST_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Passed:
    """The server did what the check asks. `goodbye` is sent before the connection is closed."""

    reason: str
    goodbye: bytes = b""


class Unhealthy(Exception):  # noqa: N818 - named for what it says of a server
    """The server did not do what the check asks; the text is the reason, `code` HAProxy's word for its kind."""

    def __init__(self, reason: str, code: str = "L7RSP") -> None:
        super().__init__(reason)
        self.code = code


def more(received: bytes, send: bytes = b"") -> Generator[bytes, bytes, bytes]:
    """Send, and give what came before with what comes next. Raises Unhealthy at the end of the stream."""
    data = yield send
    if not data:
        raise Unhealthy("connection closed before the end of the answer")
    if len(received) + len(data) > LARGEST_ANSWER_BYTES:
        raise Unhealthy(f"answer larger than {LARGEST_ANSWER_BYTES // 1024} KiB")
    return received + data


def until(size: int, received: bytes) -> Generator[bytes, bytes, bytes]:
    """At least so many bytes."""
    while len(received) < size:
        received = yield from more(received)
    return received


def conversation(steps: Sequence[CheckStep]) -> Exchange:
    """What the file says."""
    unsent, received = b"", b""
    for number, step in enumerate(steps, 1):
        unsent += step.data
        if step.data:
            received = b""
        pattern = step.pattern
        if pattern is None:
            continue
        while (match := pattern.search(received)) is None or unsent:
            try:
                received = yield from more(received, unsent)
            except Unhealthy as failure:
                raise Unhealthy(f"step {number}: {failure}{_said(received)}") from None
            unsent = b""
        received = received[match.end() :]
    return Passed(f"{len(steps)} step{'s' * (len(steps) != 1)} done", goodbye=unsent)


def _said(received: bytes) -> str:
    return f", after {_words(received)}" if received else ""


def redis() -> Exchange:
    """PING (RESP). A server that asks for a password first answers too."""
    received = yield from more(b"", b"*1\r\n$4\r\nPING\r\n")
    while b"\r\n" not in received:
        received = yield from more(received)
    line = received.partition(b"\r\n")[0]
    if line == b"+PONG":
        return Passed("PONG")
    if line.startswith(b"-NOAUTH"):
        return Passed("asks for a password")
    raise Unhealthy(_words(line.removeprefix(b"-")), "L7STS")


def postgres(user: str) -> Exchange:
    """A startup message (PostgreSQL protocol 3.0): whatever way to authenticate the server then asks for, it is up."""
    body = struct.pack(">I", 196_608) + b"user\0" + user.encode() + b"\0\0"
    received = yield from more(b"", struct.pack(">I", len(body) + 4) + body)
    received = yield from until(5, received)
    kind, size = received[:1], int.from_bytes(received[1:5], "big")
    if kind == b"R":
        return Passed("answers", goodbye=b"X\0\0\0\4")
    if kind != b"E" or not 4 < size < LARGEST_ANSWER_BYTES:
        raise Unhealthy("not a PostgreSQL server")
    received = yield from until(1 + size, received)
    fields = {field[:1]: field[1:] for field in received[5 : 1 + size].split(b"\0") if field}
    raise Unhealthy(_words(fields.get(b"M", b"an error without words")), "L7STS")


_MYSQL_OK, _MYSQL_ERROR, _MYSQL_SWITCH = 0x00, 0xFF, 0xFE
_MYSQL_QUIT = b"\1\0\0\0\1"


def mysql(user: str | None) -> Exchange:
    """The server's greeting; with a user a login without a password after it.

    Without one the server counts a broken handshake, and may block this machine after max_connect_errors of them.
    """
    greeting, rest = yield from _mysql_packet(b"")
    if greeting[:1] == b"\xff":
        raise Unhealthy(_words(greeting[3:]), "L7STS")
    if greeting[:1] != b"\x0a":
        raise Unhealthy("not a MySQL server")
    version = _words(greeting[1:].partition(b"\0")[0])
    if user is None:
        return Passed(version)
    # CLIENT_PROTOCOL_41, SECURE_CONNECTION and PLUGIN_AUTH; no password.
    login = struct.pack("<IIB23x", 0x0008_8200, 1 << 24, 33) + user.encode() + b"\0\0mysql_native_password\0"
    answer, _ = yield from _mysql_packet(rest, len(login).to_bytes(3, "little") + b"\1" + login)
    if answer[:1] in (bytes([_MYSQL_OK]), bytes([_MYSQL_SWITCH])):
        return Passed(version, _MYSQL_QUIT)
    raise Unhealthy(_words(answer[9:] if answer[3:4] == b"#" else answer[3:]), "L7STS")


def _mysql_packet(received: bytes, send: bytes = b"") -> Generator[bytes, bytes, tuple[bytes, bytes]]:
    received = yield from more(received, send)
    received = yield from until(5, received)
    size = int.from_bytes(received[:3], "little")
    if not 0 < size < LARGEST_ANSWER_BYTES:
        raise Unhealthy("not a MySQL server")
    received = yield from until(4 + size, received)
    return received[4 : 4 + size], received[4 + size :]


def smtp(name: str) -> Exchange:
    """The greeting, then EHLO, or HELO for who does not know it (RFC 5321 sections 3.1, 3.2)."""
    _, rest = yield from _smtp_reply(b"", b"")
    try:
        code, _ = yield from _smtp_reply(rest, b"EHLO %b\r\n" % name.encode())
    except Unhealthy as failure:
        if not str(failure).startswith("50"):
            raise
        code, _ = yield from _smtp_reply(b"", b"HELO %b\r\n" % name.encode())
    return Passed(f"{code} to hello", b"QUIT\r\n")


def _smtp_reply(received: bytes, send: bytes) -> Generator[bytes, bytes, tuple[int, bytes]]:
    """A reply of one line or several; what is sent goes first. Raises Unhealthy where it does not begin with 2."""
    if send or not received:
        received = yield from more(received, send)
    while True:
        lines = received.split(b"\n")
        for number, line in enumerate(lines[:-1]):
            if not (line[:3].isdigit() and line[:1] == b"2"):
                raise Unhealthy(_words(line), "L7STS")
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines[number + 1 :])
        received = yield from more(received)


def _words(data: bytes) -> str:
    """Fit for a log and a terminal, and not long."""
    text = data.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text).strip()[:200]
