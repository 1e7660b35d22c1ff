"""What of a request is hashed. Pure: functions from a request to bytes, empty where it has no such thing."""

import re
from collections.abc import Callable

from balancer.policies.base import Request

Key = Callable[[Request], bytes]

_MAPPED = "::ffff:"


def source(request: Request) -> bytes:
    """The client's address, an IPv4 one the same whether it came by an IPv4 or a dual-stack socket."""
    return request.client.removeprefix(_MAPPED).encode()


def uri(*, query: bool, depth: int) -> Key:
    """The path: as many of its directories as `depth` says, 0 for all; with or without the query."""

    def key(request: Request) -> bytes:
        path, mark, rest = request.target.partition(b"?")
        if depth:
            path = b"/".join(path.split(b"/", depth + 1)[: depth + 1])
        return path + mark + rest if query else path

    return key


def header(name: str) -> Key:
    """The value of the first header of this name."""
    return _first_match(rb"(?i:\n%b):[ \t]*([^\r]*?)[ \t]*\r" % re.escape(name.encode()))


def cookie(name: str) -> Key:
    """The value of a cookie."""
    return _first_match(rb'(?i:\ncookie:)(?:[^\r]*?;)?[ \t]*%b="?([^;"\r]*?)"?[ \t]*[;\r]' % re.escape(name.encode()))


def _first_match(pattern: bytes) -> Key:
    search = re.compile(pattern).search

    def key(request: Request) -> bytes:
        match = search(request.fields)
        return match[1] if match else b""

    return key


def parameter(name: str) -> Key:
    """The value of a parameter of the query, as it is written there."""
    search = re.compile(rb"[?&]%b=([^&]*)" % re.escape(name.encode())).search

    def key(request: Request) -> bytes:
        match = search(request.target)
        return match[1] if match else b""

    return key
