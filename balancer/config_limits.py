"""What clients may take and ask for: timeouts, and limits of a request. Frozen; each type validates itself. Pure."""

from dataclasses import dataclass
from typing import Any, ClassVar

from balancer.fieldtypes import STRICT, ByteCount, ByteRate, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendTimeouts:
    """Limits on what a client may take."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

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

    def __post_init__(self) -> None:
        if self.head_bytes < 1024 or self.header_count < 1 or self.target_bytes < 64:
            raise ValueError("head must be at least 1KiB, header_count 1 and target 64B")
