"""What sockets are told beside an address: keepalive, how long to wait for an acknowledgement, who may connect. Pure.

Frozen; each type validates itself.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from balancer.fieldtypes import STRICT, Seconds, Switch

_MODE = re.compile(r"0?[0-7]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """Ask a silent peer whether it is still there (RFC 9293 section 3.8.4); in whole seconds."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    idle_s: Seconds = 60.0
    """Of silence, before the first question."""
    interval_s: Seconds = 10.0
    """Between questions that are not answered."""
    count: int = 5
    """After so many of them the connection is reset."""

    def __post_init__(self) -> None:
        for span in (self.idle_s, self.interval_s):
            if not 1 <= span <= 32_767 or span != int(span):
                raise ValueError("idle and interval must be whole seconds, from 1s to 32767s")
        if not 1 <= self.count <= 127:
            raise ValueError("count must be from 1 to 127")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenTcp:
    """How a frontend's TCP sockets are set up; connections inherit it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    backlog: int = 4096
    """Connections that the kernel holds until they are taken."""
    keep_alive: Annotated[KeepAlive | None, Switch()] = None
    user_timeout_s: Seconds | None = None
    """How long what was sent may stay unacknowledged (RFC 5482)."""
    defer_accept: bool = False
    """A connection is taken once its client has said something."""
    fast_open: bool = False
    """RFC 7413."""

    def __post_init__(self) -> None:
        if not 1 <= self.backlog <= 65_535:
            raise ValueError("backlog must be from 1 to 65535")
        check_user_timeout(self.user_timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTcp:
    """How TCP connections to servers are set up."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    keep_alive: Annotated[KeepAlive | None, Switch()] = None
    user_timeout_s: Seconds | None = None
    fast_open: bool = False

    def __post_init__(self) -> None:
        check_user_timeout(self.user_timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixFile:
    """Who may connect to a unix socket of a frontend."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    mode: str = "0660"
    user: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if not _MODE.fullmatch(self.mode):
            raise ValueError("mode must be three octal digits, for example 0660, in quotes")

    @property
    def bits(self) -> int:
        """The mode as a number."""
        return int(self.mode, 8)


def check_user_timeout(span: float | None) -> None:
    """Raises ValueError."""
    if span is not None and not 0.001 <= span <= 86_400:
        raise ValueError("user_timeout must be from 1ms to 24h")
