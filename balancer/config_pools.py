"""Servers and pools: who does the work, and how one of them is chosen. Frozen; each type validates itself. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

from balancer.config_checks import AgentCheck, Check
from balancer.config_compression import Compression
from balancer.config_discovery import MOST, Resolve, check_names, expanded
from balancer.config_persistence import PersistenceSettings
from balancer.config_queue import MOST_WAITING, QueueSettings
from balancer.config_routes import Maintenance
from balancer.config_sockets import ServerTcp
from balancer.config_tls import PoolTls
from balancer.fieldtypes import STRICT, Endpoint, Seconds, ServerAddress, ServerEndpoint, Shorthand, parse_service
from balancer.networks import SourceAddress

Policy = Literal[
    "round_robin",
    "least_connections",
    "first",
    "random",
    "source_hash",
    "uri_hash",
    "header_hash",
    "query_hash",
    "cookie_hash",
]
READS_REQUEST = ("uri_hash", "header_hash", "query_hash", "cookie_hash")
"""Policies that need a request of mode http."""
NOWHERE = Endpoint("", 0)
CONNECT = Check()
"""How a server is checked that is to be, and whose pool does not say how."""
NEEDS_NAME = {"header_hash": "header", "query_hash": "parameter", "cookie_hash": "cookie"}
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A name of a header or a cookie (RFC 9110 section 5.6.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HashSettings:
    """What a policy that hashes reads of a request."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    name: str | None = None
    """Of the header, the parameter of the query, or the cookie."""
    query: bool = False
    """uri_hash: the query belongs to it."""
    depth: int = 0
    """uri_hash: so many directories of the path and no more; 0: all of it."""
    balance_percent: int = 0
    """Of its even share of connections, by weight: a server that has more is passed over. 0: no bound."""

    def __post_init__(self) -> None:
        if self.name is not None and not TOKEN.fullmatch(self.name):
            raise ValueError("name must be that of a header, parameter or cookie")
        if not 0 <= self.depth <= 100:
            raise ValueError("depth must be from 0 to 100")
        if self.balance_percent and not 101 <= self.balance_percent <= 10_000:
            raise ValueError("balance_percent must be from 101 to 10000, or 0 for no bound")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One upstream server. In a file `web1: 192.0.2.1:80` is short for `web1: {address: "192.0.2.1:80"}`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    address: ServerAddress = field(default_factory=lambda: NOWHERE)
    """A name and a port are resolved while the node runs. With `srv` it is the name of those records, of port 0."""
    srv: str | None = None
    """The name of SRV records, instead of an address."""
    count: int | None = None
    """It is a template: so many servers, each at another address of the name. None: it is one server."""
    weight: int = 1
    """0 to 256; 0 takes no new work."""
    max_connections: int | None = None
    """Over all workers; a server that is full is passed over, and where all are, requests wait."""
    max_queue: int | None = None
    """As many requests that belong to it may wait for it, over all workers; to others any other server will do."""
    backup: bool = False
    """Used only while no other server of the pool is usable."""
    check_address: ServerEndpoint | None = None
    """Where its checks go; its own address where not given."""
    check_port: int | None = None
    """Where its checks go on its own address, or on `check_address`."""
    agent_address: ServerEndpoint | None = None
    """Where its agent is asked; its own address with the agent's port where not given."""
    agent_port: int | None = None
    """Where its agent is asked on its own address; the agent's where not given."""
    agent_send: str | None = None
    """Sent to its agent first; what the pool says where not given."""
    check: bool | None = None
    """False: it is not checked, and taken to be UP. True: it is, by a connection where its pool has no check."""
    disabled: bool = False
    """It begins in MAINT."""

    def __post_init__(self) -> None:
        self._check_whereabouts()
        if not 0 <= self.weight <= 256:
            raise ValueError("weight must be from 0 to 256")
        if self.max_connections is not None and self.max_connections < 1:
            raise ValueError("max_connections must be at least 1")
        for name, port in (("check_port", self.check_port), ("agent_port", self.agent_port)):
            if port is not None and not 1 <= port <= 65_535:
                raise ValueError(f"{name} must be from 1 to 65535")
        if self.max_queue is not None and not 0 <= self.max_queue <= MOST_WAITING:
            raise ValueError(f"max_queue must be from 0 to {MOST_WAITING}")

    def _check_whereabouts(self) -> None:
        if self.srv is not None:
            service = parse_service(self.srv)
            if self.address not in (NOWHERE, service):
                raise ValueError("srv must not be given with address: its records tell where the servers are")
            object.__setattr__(self, "address", service)
        elif self.address == NOWHERE:
            raise ValueError("address is missing: where to connect to, or srv for what SRV records tell")
        if self.count is not None and not self.address.is_name:
            raise ValueError(f"count needs a name that has addresses, and {self.address} is one")
        if self.count is not None and not 1 <= self.count <= MOST:
            raise ValueError(f"count must be from 1 to {MOST}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTimeouts:
    """Limits on what a server may take."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    connect_s: Seconds = 5.0
    response_s: Seconds = 60.0
    """From the end of the request to the end of the response head: 504 after it."""
    idle_s: Seconds = 300.0
    """An upstream connection that is kept for reuse is closed after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Servers that do the same work, and how one of them is chosen."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    servers: Mapping[str, Annotated[Server, Shorthand("address")]]
    """Templates become the servers that they stand for. A file has one at least; while a node runs the last may go."""
    resolve: Resolve = field(default_factory=Resolve)
    """For servers that are known by their names."""
    policy: Policy = "round_robin"
    hash: HashSettings = field(default_factory=HashSettings)
    check: Check | None = None
    """None: servers are taken to be UP."""
    agent: AgentCheck | None = None
    slow_start_s: Seconds = 0.0
    """How long a server that has come UP or is READY again takes to get its whole weight."""
    use_all_backups: bool = False
    """When backups stand in: all of them by the policy, instead of the first that can."""
    fallback: str | None = None
    """The pool that takes what this one has no server for."""
    on_down: Literal["keep", "close"] = "keep"
    """What becomes of connections to a server that goes DOWN or into MAINT."""
    on_up: Literal["keep", "close_backups"] = "keep"
    """What becomes of connections to backups when a server that is none comes UP."""
    persistence: PersistenceSettings | None = None
    """None: a request goes where the policy says, wherever the last one of its client went."""
    retries: int = 2
    """Further attempts where no connection to a server could be made."""
    redispatch: bool = True
    """They go to other servers; false: to the same one, after a pause."""
    tls: PoolTls | None = None
    """None: what is sent to servers can be read on the way."""
    timeouts: PoolTimeouts = field(default_factory=PoolTimeouts)
    queue: QueueSettings = field(default_factory=QueueSettings)
    """Where requests wait while all servers have their `max_connections`."""
    tcp: ServerTcp = field(default_factory=ServerTcp)
    """How TCP connections to servers are set up."""
    source: SourceAddress | None = None
    """Our address that servers see; None: the kernel's choice."""
    transparent: bool = False
    """Servers see the client's address; connections are then not shared by clients."""
    send_proxy: Literal["v1", "v2"] | None = None
    """Begin each connection with a PROXY header of this version; connections are then not shared by clients."""
    sorry_page: Annotated[Maintenance, Shorthand("page")] | None = None
    """For `mode: http`: what a client is shown while no server can be had."""
    compression: Compression | None = None
    """For `mode: http`; where not given, what the frontend says holds."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "servers", expanded(self.servers))
        self._check_unix()
        check_names(self)
        if self.transparent and self.source is not None:
            raise ValueError("source must not be given with transparent: servers see either the one or the other")
        if not 0 <= self.retries <= 100:
            raise ValueError("retries must be from 0 to 100")
        if not 0 <= self.slow_start_s <= 86_400:
            raise ValueError("slow_start must be at most 24h")
        if self.check is not None and self.check.observe is None and self.check.on_error != "fail_check":
            raise ValueError("check.on_error needs observe: layer4 or layer7")
        if self.agent is not None and self.agent.port is None:
            places = {name: server.agent_address or server.agent_port for name, server in self.servers.items()}
            without = [name for name, place in places.items() if place is None]
            if without:
                raise ValueError(f"agent needs a port, or {without[0]} needs an agent_address or agent_port")
        if self.policy in NEEDS_NAME and self.hash.name is None:
            what = NEEDS_NAME[self.policy]
            raise ValueError(f"policy {self.policy} needs to be told which {what}: hash: {{name: NAME}}")

    def check_of(self, server: str) -> Check | None:
        """How one of its servers is checked; None: it is taken to be UP."""
        wanted = self.servers[server].check
        if wanted is False:
            return None
        check = CONNECT if wanted and self.check is None else self.check
        return check if check is None or not check.has_place else self._placed(check, self.servers[server])

    def _placed(self, check: Check, server: Server) -> Check:
        """What a server says of where it is checked comes before what its pool says."""
        if server.check_address is not None:
            return replace(check, address=None, port=None)
        return check if server.check_port is None else replace(check, port=None)

    def agent_of(self, server: str) -> AgentCheck | None:
        """How the agent of one of its servers is asked; None: it has none."""
        send = self.servers[server].agent_send
        return self.agent if send is None or self.agent is None else replace(self.agent, send=send)

    def _check_unix(self) -> None:
        """What a unix socket has no address for."""
        unix = [one for one in self.servers.values() if one.address.is_unix]
        if not unix:
            return
        if self.tls is not None and self.tls.server_name is None:
            raise ValueError("tls must have a server_name: a unix socket has no address that a certificate is for")
        if self.tls is None and self.check is not None and self.check.tls is not None and self.check.tls.name is None:
            raise ValueError("check must have a tls name: a unix socket has no address that a certificate is for")
        if self.agent is not None and any(one.agent_address is None for one in unix):
            raise ValueError("agent must be told where it is, for a server at a unix socket: agent_address")
