"""`runtime` of the file: how a node treats what changes while it runs, and where it is asked. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from balancer.config_sockets import UnixFile
from balancer.fieldtypes import STRICT, Shorthand

MOST_SOCKETS = 16
_MODE = re.compile(r"0?[0-7]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSocket:
    """A unix socket more that answers HAProxy's commands."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    level: Literal["user", "operator", "admin"] = "operator"
    mode: str = "0660"
    user: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if not _MODE.fullmatch(self.mode):
            raise ValueError("mode must be three octal digits, for example 0660, in quotes")

    @property
    def file(self) -> UnixFile:
        """Who may connect."""
        return UnixFile(mode=self.mode, user=self.user, group=self.group)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSection:
    """What a node does by itself, and where else it is asked."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    watch_file: bool = False
    """Reload when this file, or one of the pages that it names, has changed."""
    sockets: Mapping[str, Annotated[CommandSocket, Shorthand("level")]] = field(default_factory=dict)
    """By path."""

    def __post_init__(self) -> None:
        if wrong := [path for path in self.sockets if not path.startswith("/") or len(path.encode()) > 107]:
            raise ValueError(f"{wrong[0]!r} is no place for a socket: write its whole path, at most 107 bytes")
        if len(self.sockets) > MOST_SOCKETS:
            raise ValueError(f"at most {MOST_SOCKETS} sockets")
