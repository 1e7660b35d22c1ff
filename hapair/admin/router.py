"""What the admin server is asked, what it answers, and who answers it. Pure.

A page is added by one `Route`: its path, who may see it, and its handler.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hapair.config.admin import Level

TEXT: Final = "text/plain; charset=utf-8"
_REASONS: Final = {
    200: "OK", 303: "See Other", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 411: "Length Required", 413: "Content Too Large",
    414: "URI Too Long", 417: "Expectation Failed", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}  # fmt: skip
_PATH_END: Final = re.compile(r"[?;]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that may be answered: whoever asks has the level that the route wants."""

    method: str
    target: str
    """`/haproxy?stats;csv`"""
    host: str = ""
    body: bytes = b""
    caller: str = ""
    """Who asks, for logs."""
    is_admin: bool = False

    @property
    def path(self) -> str:
        """`/haproxy`"""
        return _PATH_END.split(self.target, maxsplit=1)[0]

    @property
    def options(self) -> str:
        """`?stats;csv`: what follows the path."""
        return self.target[len(self.path) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer. `body` as a generator is sent as it comes, and its end is the end of the connection."""

    status: int = 200
    body: bytes | AsyncGenerator[bytes, None] = b""
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path and who answers there."""

    path: str
    handler: Handler
    level: Level | None = "viewer"
    """Who may ask at all; None: everybody, without a password."""
    methods: tuple[str, ...] = ("GET", "HEAD")


class Router:
    """Path to route. Raises ValueError where two have the same."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[str, Route] = {}
        for route in routes:
            if self._routes.setdefault(route.path, route) is not route:
                raise ValueError(f"two routes for {route.path}")

    def find(self, request: Request) -> Route | Response:
        """The route, or what to answer where there is none for this path and method."""
        route = self._routes.get(request.path)
        if route is None:
            return text(404, f"there is nothing at {request.path[:200]}; there is: {', '.join(self._routes)}\n")
        if request.method not in route.methods:
            return text(405, f"use {' or '.join(route.methods)}\n", {"Allow": ", ".join(route.methods)})
        return route


def text(status: int, words: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in words."""
    return Response(status=status, body=words.encode(), headers=headers or {})


def head_of(response: Response, *, keep_alive: bool) -> bytes:
    """The head of a response, as it goes out."""
    length = {"Content-Length": str(len(response.body))} if isinstance(response.body, bytes) else {}
    fields = {
        "Content-Type": response.content_type,
        **length,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Connection": "keep-alive" if keep_alive else "close",
        **response.headers,
    }
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def is_same_origin(host: str, origin: str | None, referer: str | None) -> bool:
    """Whether a POST comes from a page of this server: by Origin, else Referer; with neither it is from no browser."""
    said = origin if origin is not None else referer
    if said is None:
        return True
    scheme, _, rest = said.partition("://")
    return scheme in ("http", "https") and rest.partition("/")[0].lower() == host.lower() != ""


def is_near_host(host: str) -> bool:
    """Whether Host names this machine by an address or as localhost, and not by a name that somebody else resolves."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower() == "localhost" or bool(re.fullmatch(r"127\.[0-9.]+|::1", name))
