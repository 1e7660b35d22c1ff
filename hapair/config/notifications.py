"""`notifications` of the file: who is told of what happens. Pure."""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlsplit

from balancer.fieldtypes import STRICT, Seconds
from hapair.config.scalars import check_command
from hapair.events.event import Told

DEFAULT_KINDS: tuple[Told, ...] = ("role", "server", "pool", "drift", "certificate")
_TARGET = re.compile(r"[\x21-\x7e]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSection:
    """Somebody who is told, by a webhook or by a command."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    url: str | None = field(default=None, repr=False)
    """It may hold a token: it is in no log."""
    command: tuple[str, ...] = ()
    on: tuple[Told, ...] = DEFAULT_KINDS
    secret_file: str | None = None
    """What bodies are signed with; relative to the folder of the file that names it."""
    authorization_file: str | None = None
    """The value of the header Authorization."""
    ca_file: str | None = None
    verify: bool = True
    timeout_s: Seconds = 10.0

    def __post_init__(self) -> None:
        if (self.url is None) == (not self.command):
            raise ValueError("say one of url and command")
        if self.command:
            check_command("command", self.command)
            if self.secret_file or self.authorization_file or self.ca_file or not self.verify:
                raise ValueError("secret_file, authorization_file, ca_file and verify are for a url")
        if self.url is not None:
            _check_url(self.url)
        if not self.on:
            raise ValueError(f"on must name kinds of events, for example [{', '.join(DEFAULT_KINDS)}]")
        if not 0.1 <= self.timeout_s <= 60:
            raise ValueError("timeout must be from 100ms to 1m")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _TARGET.fullmatch(url):
        raise ValueError("url must be like https://hooks.example.org/path")
    if parts.username is not None:
        raise ValueError("url must hold no name and password: authorization_file is for that")
    if parts.port == 0:  # raises ValueError itself beyond 65535
        raise ValueError("url must not name port 0")
