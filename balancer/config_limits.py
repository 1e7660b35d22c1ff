"""What clients may take and ask for: timeouts, limits of a request, limits of a client. Frozen. Pure."""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from balancer.fieldtypes import STRICT, ByteCount, ByteRate, PerSecond, Seconds, Shorthand
from balancer.networks import NetworkText


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendTimeouts:
    """Limits on what a client may take."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    tls_handshake_s: Seconds = 10.0
    """For a whole TLS handshake; in front of routes by SNI, for the ClientHello."""
    header_s: Seconds = 10.0
    """For a whole request head (a deadline, not idle time): 408 after it. The first one's time begins when the
    connection does, that of a later one with its first byte."""
    keep_alive_s: Seconds = 60.0
    """Between two requests of a connection."""
    idle_s: Seconds = 300.0
    """Without a byte in either direction, in a response or a tcp connection."""
    body_s: Seconds = 60.0
    """Without a byte of a request body that is waited for: 408."""
    tunnel_s: Seconds | None = None
    """As `idle_s`, after a switch of protocols."""
    request_s: Seconds | None = None
    """From the end of a request head to the end of the response, whatever goes on meanwhile."""
    upload_rate: ByteRate | None = None
    """A request body that comes more slowly over `rate_window_s` gets 408."""
    download_rate: ByteRate | None = None
    """A client that takes a response more slowly over `rate_window_s` is reset."""
    rate_window_s: Seconds = 20.0

    def __post_init__(self) -> None:
        if self.rate_window_s < 1.0:
            raise ValueError("rate_window must be at least 1s")

    @property
    def has_rates(self) -> bool:
        return self.upload_rate is not None or self.download_rate is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What a request may be: 431, 414 or 413 beyond it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    head_bytes: ByteCount = 16_384
    header_count: int = 100
    target_bytes: ByteCount = 8_192
    body_bytes: ByteCount | None = None
    """Content-Length is judged at once, a chunked body when it passes the limit."""
    underscores: Literal["pass", "drop", "reject"] = "pass"
    """Headers with an underscore in their name, which CGI and its kind take for a dash."""
    bare_lf: bool = False
    """Lines of a head may end with LF alone; they go on with CR LF."""

    def __post_init__(self) -> None:
        if self.head_bytes < 1024 or self.header_count < 1 or self.target_bytes < 64:
            raise ValueError("head must be at least 1KiB, header_count 1 and target 64B")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimit:
    """How many requests one client may send. In a file `10/s` is short for `{rate: 10/s}`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    rate: PerSecond
    burst: int | None = None
    """How many may come at once after a rest; where not given, as many as a second's worth, at least 1."""
    header: str | None = None
    """Who sends the same value of this header is one client; without it, who has the same address."""

    def __post_init__(self) -> None:
        if self.burst is not None and self.burst < 1:
            raise ValueError("burst must be at least 1")
        if self.header is not None and not re.fullmatch(r"[A-Za-z0-9-]+", self.header):
            raise ValueError(f"{self.header!r} is not a header name")

    @property
    def most(self) -> int:
        """The burst."""
        return self.burst if self.burst is not None else max(1, math.ceil(self.rate))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """What one client may have of a frontend, over all workers of a node."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    allow: tuple[NetworkText, ...] = ()
    """Only these may connect; where empty, everybody."""
    deny: tuple[NetworkText, ...] = ()
    """These may not, whatever `allow` says."""
    connections: int | None = None
    """Open at the same time."""
    connection_rate: PerSecond | None = None
    """New ones."""
    connection_burst: int | None = None
    """How many may come at once; where not given, as many as a second's worth, at least 1."""
    requests: tuple[Annotated[RequestLimit, Shorthand("rate")], ...] = ()
    ipv6_prefix: int = 64
    """An IPv6 client is the network of this length that its address is in."""
    clients: int = 65_536
    """How many are remembered, for each limit; 16 bytes each."""

    def __post_init__(self) -> None:
        if self.connections is not None and self.connections < 1:
            raise ValueError("connections must be at least 1")
        if self.connection_burst is not None and (self.connection_burst < 1 or self.connection_rate is None):
            raise ValueError("connection_burst must be at least 1, and needs a connection_rate")
        if not 1 <= self.ipv6_prefix <= 128:
            raise ValueError("ipv6_prefix must be from 1 to 128")
        if not 1024 <= self.clients <= 1 << 24:
            raise ValueError(f"clients must be from 1024 to {1 << 24}")

    @property
    def most_new(self) -> int:
        """The burst of new connections."""
        if self.connection_burst is not None:
            return self.connection_burst
        return max(1, math.ceil(self.connection_rate or 1))

    @property
    def any(self) -> bool:
        """Something is limited."""
        return bool(self.allow or self.deny or self.connections or self.connection_rate or self.requests)
