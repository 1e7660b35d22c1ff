"""What HTTP/2 clients may take of a frontend. Pure."""

from dataclasses import dataclass
from typing import Any, ClassVar

from balancer.fieldtypes import STRICT, ByteCount, Seconds

LARGEST_WINDOW = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Http2:
    """Limits of one client connection (RFC 9113)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    max_streams: int = 100
    """At a time; what is beyond it is refused, and may be sent again."""
    window_bytes: ByteCount = 65_536
    """Of a request body, not yet taken by the server. Held in memory, for each stream."""
    frame_bytes: ByteCount = 16_384
    header_list_bytes: ByteCount = 65_536
    """A header block beyond it, compressed or not, ends the connection; `http.head` of the frontend answers 431."""
    settings_s: Seconds = 10.0
    """For a client to acknowledge our settings."""
    resets: int = 200
    """Streams that a client may begin and come to nothing by its doing, within 10 s."""
    idle_frames: int = 1_000
    """Frames that carry nothing forward, within 10 s."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_streams <= 10_000:
            raise ValueError("max_streams must be from 1 to 10000")
        if not 16_384 <= self.window_bytes <= LARGEST_WINDOW:
            raise ValueError("window must be from 16KiB to 2147483647B")
        if not 16_384 <= self.frame_bytes <= 2**24 - 1:
            raise ValueError("frame must be from 16KiB to 16777215B")
        if self.header_list_bytes < 4_096:
            raise ValueError("header_list must be at least 4KiB")
        if self.settings_s < 0.1:
            raise ValueError("settings must be at least 100ms")
        if self.resets < 1 or self.idle_frames < 10:
            raise ValueError("resets must be at least 1 and idle_frames at least 10")
