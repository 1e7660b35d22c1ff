"""One thing that somebody said of a server, a frontend or the node: it holds until the file is changed. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Literal, get_args

from balancer.config import Frontend
from balancer.config_pools import Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.standing import Admin
from hapair.wire import from_plain, to_plain

What = Literal[
    "admin", "weight", "max_connections", "checks", "agent", "address", "server",
    "check_address", "check_port", "agent_address", "agent_port", "agent_send", "name",
    "disabled", "frontend_limit", "node_limit",
]  # fmt: skip
"""READY, DRAIN or MAINT; a weight; a limit; whether checks are made; whether the agent is asked; where it is; that it
was added, as `written` has it, or None: that it was removed. Where it is checked, where its agent is asked, and what
that is sent first; what it is known by. Of a frontend, that it listens no more; its limit; that of the node."""
EDITS: Final = ("check_address", "check_port", "agent_address", "agent_port", "agent_send", "name")
"""What changes how a server is configured."""
SHAPING: Final = ("server", *EDITS, "node_limit")
"""What changes what the node serves."""
Value = str | int | bool | None
Key = tuple[str, str, str]
"""What, pool and server."""

LATEST: Final = 1 << 53
HEAVIEST: Final = 256
MOST_CONNECTIONS: Final = 1 << 31
_LONGEST: Final = 256
_LONGEST_SERVER: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the file says, as far as somebody may say otherwise."""

    pools: Mapping[str, Pool]
    frontends: Mapping[str, Frontend] = field(default_factory=dict)
    max_connections: int | None = None
    """Of the node."""
    obstacle: Callable[[Mapping[str, Pool]], str | None] = field(default=lambda _: None, compare=False)
    """Why the rest of the file cannot be served with these pools; None: it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Of two for the same key the later one holds, and of two of the same moment that of the node of the later name."""

    what: What
    pool: str
    """Of what is said of a frontend, its name; of the node, empty."""
    server: str
    """Empty for a frontend and the node."""
    value: Value
    """None: the file's, for a weight or a limit."""
    in_file: int | str | None = None
    """What the file said when it was said; None: this stands in no file."""
    at: int
    """Milliseconds since 1970; more where this node knew of something that was as late."""
    node: str
    by: str
    local: bool = False
    """For this node alone."""

    def __post_init__(self) -> None:
        if not _fits(self.what, self.value):
            raise ValueError(f"{self.value!r} is no value of {self.what}")
        if not 0 <= self.at <= LATEST:
            raise ValueError("at is no moment")
        if max(map(len, (self.pool, self.server, self.node, self.by))) > _LONGEST:
            raise ValueError("a name is too long")

    @property
    def words(self) -> str:
        """For people."""
        name = f"{self.pool}/{self.server}" if self.server else self.pool or "this node"
        match self.what:
            case "server":
                return f"{name} is {'removed' if self.value is None else 'added'}"
            case "disabled":
                return f"{name} is {'disabled' if self.value else 'enabled'}"
            case "frontend_limit" | "node_limit" if self.value is not None:
                return f"{name} has {self.value} connections at most"
        return f"{name} has {self.what.replace('_', ' ')} {_text(self.value)}"

    @property
    def key(self) -> Key:
        """What it replaces."""
        return self.what, self.pool, self.server

    @property
    def stamp(self) -> tuple[int, str]:
        """The later one holds."""
        return self.at, self.node


def _text(value: Value) -> str:
    if value is None:
        return "as in the file"
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


def _fits(what: What, value: Value) -> bool:
    if what == "admin":
        return value in get_args(Admin)
    if what in ("checks", "agent", "disabled"):
        return type(value) is bool
    if what in EDITS:
        return _fits_server(what, value)
    if what == "server":
        return value is None or (isinstance(value, str) and _is_server(value))
    if what == "address":
        return isinstance(value, str) and _is_address(value)
    most = HEAVIEST if what == "weight" else MOST_CONNECTIONS
    return value is None or (type(value) is int and 0 <= value <= most)


def _fits_server(what: What, value: Value) -> bool:
    if what in ("check_port", "agent_port"):
        return type(value) is int and 1 <= value <= 65_535
    if not isinstance(value, str) or len(value) > _LONGEST:
        return False
    return what == "agent_send" or (_is_name(value) if what == "name" else _is_address(value))


def _is_name(text: str) -> bool:
    try:
        return Endpoint.parse_server(f"{text}:1").is_name
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        return len(text) <= _LONGEST and not Endpoint.parse(text).is_name
    except ValueError:
        return False


def written(server: Server) -> str:
    """A server as text, without what is as where nothing is said: another version may know more."""
    said = {one.name: getattr(server, one.name) for one in fields(server)}
    plain = {one.name: to_plain(said[one.name]) for one in fields(server) if said[one.name] != one.default}
    return json.dumps(plain, separators=(",", ":"))


def read(text: str) -> Server:
    """What `written` has written. Raises ValueError."""
    try:
        server: Server = from_plain(json.loads(text), Server)
    except (TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"this is no server: {str(error)[:100]}") from error
    return server


def _is_server(text: str) -> bool:
    try:
        return len(text) <= _LONGEST_SERVER and read(text).count is None
    except ValueError:
        return False


def in_file(said: Said, what: str, pool: str, server: str) -> int | str | None:
    """What the file says of it. Raises KeyError for a server or frontend that it does not have."""
    if what == "node_limit":
        return said.max_connections
    if what in ("disabled", "frontend_limit"):
        frontend = said.frontends[pool]
        return frontend.max_connections if what == "frontend_limit" else None
    if what == "server":
        known = said.pools[pool].servers.get(server)
        return None if known is None else written(known)
    return _of_server(said.pools[pool].servers[server], what)


def _of_server(server: Server, what: str) -> int | str | None:
    if what == "admin":
        return "maint" if server.disabled else None
    if what == "name":
        return server.address.host
    if what in ("address", "check_address", "agent_address"):
        address = getattr(server, what)
        return None if address is None else str(address)
    if what in ("weight", "max_connections", "check_port", "agent_port", "agent_send"):
        said: int | str | None = getattr(server, what)
        return said
    return None


def holds(change: Change, said: Said) -> bool:
    """Whether the file has the server or frontend, and says of it what it said then."""
    try:
        return in_file(said, change.what, change.pool, change.server) == change.in_file
    except KeyError:
        return False
