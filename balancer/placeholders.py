"""Text with placeholders, `https://{hostname}{target}`, made ready to be filled in for each request. Pure.

What is filled in was part of a valid head, or is ours: it has neither CR nor LF, so that no line can be broken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:  # the configuration rests on this module, and heads on the configuration
    from balancer.http1.request import RequestHead

_TEXT = re.compile(r"(?:[\t\x20-\x7e\x80-\U0010ffff])*")
_PIECE = re.compile(r"\{\{|\}\}|\{([a-z_]*)\}|[{}]|[^{}]+")
_SAFE = re.compile(rb"[!-~]+")


class Asker(Protocol):
    """Who asks, and what became of it so far."""

    @property
    def address(self) -> str:
        """The client's IP address."""

    @property
    def client_port(self) -> int: ...
    @property
    def scheme(self) -> str:
        """`http` or `https`."""

    @property
    def listen_port(self) -> int:
        """Where it connected to."""

    @property
    def local_host(self) -> bytes:
        """What stands for the host where an HTTP/1.0 client names none."""

    @property
    def sni(self) -> str | None:
        """The server name of its TLS handshake."""

    @property
    def frontend(self) -> str: ...
    @property
    def pool(self) -> str:
        """Where its request goes; `-` where it is answered here."""

    @property
    def server(self) -> str:
        """Who answered; `-` where that was not a server."""

    @property
    def request_id(self) -> bytes: ...


Getter = Callable[[Asker, "RequestHead"], bytes]


def host_name(host: bytes) -> bytes:
    """A Host header without its port and the dot of a fully qualified name, in lower case."""
    if not host.startswith(b"["):
        host = host.partition(b":")[0]
    elif not host.endswith(b"]"):
        host = host.rpartition(b":")[0]
    return host.lower().removesuffix(b".")


def _host(asker: Asker, head: RequestHead) -> bytes:
    return head.host or asker.local_host


def _sni(asker: Asker, head: RequestHead) -> bytes:
    name = (asker.sni or "-").encode("utf-8")
    return name if _SAFE.fullmatch(name) else b"-"


PLACEHOLDERS: Final[dict[str, Getter]] = {
    "client": lambda asker, head: asker.address.encode("ascii"),
    "client_port": lambda asker, head: b"%d" % asker.client_port,
    "frontend": lambda asker, head: asker.frontend.encode("utf-8"),
    "host": _host,
    "hostname": lambda asker, head: host_name(_host(asker, head)),
    "method": lambda asker, head: head.method,
    "path": lambda asker, head: head.target.partition(b"?")[0],
    "pool": lambda asker, head: asker.pool.encode("utf-8"),
    "port": lambda asker, head: b"%d" % asker.listen_port,
    "query": lambda asker, head: head.target.partition(b"?")[2],
    "request_id": lambda asker, head: asker.request_id,
    "scheme": lambda asker, head: asker.scheme.encode("ascii"),
    "server": lambda asker, head: asker.server.encode("utf-8"),
    "sni": _sni,
    "target": lambda asker, head: head.target,
}

IN_RESPONSES: Final = frozenset(PLACEHOLDERS)
IN_REQUESTS: Final = IN_RESPONSES - {"server"}
"""A request goes to a server that is not known before it has taken it."""


class Template:
    """One text. `parts` are bytes and getters, in order; the bytes are as they are written, without `{{`."""

    __slots__ = ("_format", "_getters", "parts")

    def __init__(self, parts: Collection[bytes | Getter]) -> None:
        self.parts = tuple(parts)
        self._getters = tuple(part for part in parts if not isinstance(part, bytes))
        written = b"".join(part.replace(b"%", b"%%") if isinstance(part, bytes) else b"%b" for part in parts)
        self._format = written if self._getters else written % ()

    def render(self, asker: Asker, head: RequestHead) -> bytes:
        """The text for one request."""
        getters = self._getters
        if len(getters) == 1:  # most have one
            return self._format % getters[0](asker, head)
        if getters:
            return self._format % tuple([getter(asker, head) for getter in getters])
        return self._format


def template(text: str, allowed: Collection[str] = IN_RESPONSES) -> Template:
    """From text as it is written in a file. Raises ValueError."""
    if not _TEXT.fullmatch(text):
        raise ValueError("a value must not hold control characters")
    parts: list[bytes | Getter] = []
    for piece in _PIECE.finditer(text):
        if piece[0] in ("{{", "}}"):
            parts.append(piece[0][:1].encode())
        elif piece[1] is not None:
            if piece[1] not in allowed:
                raise ValueError(f"{piece[0]} is not one of {', '.join(f'{{{name}}}' for name in sorted(allowed))}")
            parts.append(PLACEHOLDERS[piece[1]])
        elif piece[0] in "{}":
            raise ValueError(f"write {piece[0] * 2} for a {piece[0]} that begins no placeholder")
        else:
            parts.append(piece[0].encode("utf-8"))
    return Template(parts)
