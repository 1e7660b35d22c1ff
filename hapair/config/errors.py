"""What is wrong with a file, where it stands, and what to do. Pure."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where something stands in a file; both counted from 1, as editors do."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. `where` is the path inside the file, for example pools.web.servers.web1.weight."""

    position: Position
    where: str
    message: str

    def render(self, file: str) -> str:
        """`hapair.yaml:12:5: pools.web.retires: unknown key; did you mean retries?`"""
        path = f"{self.where}: " if self.where else ""
        return _one_line(f"{file}:{self.position.line}:{self.position.column}: {path}{self.message}")


def _one_line(text: str) -> str:
    """Names come from the file, and may hold what would break a line or colour a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class ConfigError(Exception):
    """A file that does not hold together. Carries every problem that was found, in the order of the file."""

    def __init__(self, file: str, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems: Sequence[Problem] = sorted(set(problems))
        super().__init__("\n".join(problem.render(file) for problem in self.problems))


_ELSEWHERE = {
    "advert_int": "advertisement_interval",
    "backend": "pool",
    "balance": "policy",
    "bind": "listen",
    "code": "status",
    "default_backend": "pool",
    "cert": "certificates",
    "crt": "certificates",
    "errorfile": "error_pages",
    "garp_master_refresh": "announce_every",
    "gzip": "compression",
    "health_check": "check",
    "httpchk": "check",
    "log": "access_log",
    "maxconn": "max_connections",
    "maxqueue": "max_queue",
    "nopreempt": "preempt",
    "path_beg": "path",
    "path_prefix": "path",
    "proxy_protocol": "send_proxy",
    "server": "servers",
    "ssl": "tls",
    "track_script": "track",
    "unicast_peer": "peers",
    "upstreams": "servers",
    "use_backend": "routes",
    "use_vmac": "virtual_mac",
    "virtual_ipaddress": "addresses",
    "virtual_router_id": "vrid",
}
"""What HAProxy, keepalived and others call a key: no letters of it need be the same."""
_HEADER_RULES = frozenset(("set_headers", "add_headers", "remove_headers"))


def nearest(name: str, valid: Iterable[str]) -> str:
    """A clause that names the nearest valid name, or all of them where none is near. Empty where there is none."""
    names = sorted(set(valid))
    if name in _HEADER_RULES and {"request", "response"} <= set(names):
        return f"; did you mean {name} of request, or of response?"
    if _ELSEWHERE.get(name) in names:
        return f"; did you mean {_ELSEWHERE[name]}?"
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; valid here: {', '.join(names)}" if names else ""
