"""What is compressed on its way to clients. Frozen; validates itself. Pure."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from balancer.fieldtypes import STRICT, ByteCount

_TYPES = (
    "text/*",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/wasm",
    "application/xml",
    "application/xhtml+xml",
    "application/rss+xml",
    "application/atom+xml",
    "image/svg+xml",
    "image/x-icon",
    "font/ttf",
    "font/otf",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """Responses compressed with gzip for clients that accept it. Off where neither frontend nor pool has one."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    enabled: bool = True
    """False: this pool's responses stay as they are, whatever the frontend says."""
    level: int = 1
    """1 (fastest) to 9 (smallest). From 1 to 6 a text shrinks by another tenth and takes three times as long."""
    minimum_bytes: ByteCount = 1_024
    """Smaller bodies stay as they are; those of unknown size are compressed."""
    types: tuple[str, ...] = _TYPES
    """Media types without parameters; `text/*` is every type of text."""
    at_once: int = 256
    """For each worker: further responses that begin meanwhile stay as they are. One takes about 300 KiB of memory."""

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 9:
            raise ValueError("level must be from 1 to 9")
        if self.at_once < 1:
            raise ValueError("at_once must be at least 1")
        for one in self.types:
            if not re.fullmatch(r"[a-z0-9.+-]+/(\*|[a-z0-9.+-]+)", one):
                raise ValueError(f"{one!r} is not a media type; write for example text/html or text/*")
