"""What is logged of requests and connections, and where to. Frozen; validates itself. Pure."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from balancer.fieldtypes import STRICT, Endpoint, Texts

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessLog:
    """One line for each request, in `mode: tcp` for each connection. In a file `access_log: json` is short for this."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    format: Literal["httplog", "tcplog", "json", "off"] = "off"
    """HAProxy's own, or one JSON object for each line."""
    to: str = "stdout"
    """`stdout`, `journald`, `syslog` (/dev/log), `syslog:/path`, `syslog:192.0.2.1:514` (UDP), `syslog+tcp:...`, or
    the whole path of a file."""
    tag: str = "hapair"
    """How the program calls itself in syslog and journald."""
    query: bool = True
    """False: what follows the ? of a target is left out."""
    request_headers: Texts = ()
    """Captured: logged with their values. No other header ever is."""
    response_headers: Texts = ()
    queue_lines: int = 10_000
    """How many lines may wait for a slow target, in each worker; more are dropped, and counted."""

    def __post_init__(self) -> None:
        parse_target(self.to)
        if not _TAG.fullmatch(self.tag):
            raise ValueError("tag is made of letters, digits, _ . and -, at most 32")
        for name in (*self.request_headers, *self.response_headers):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header")
        if not 64 <= self.queue_lines <= 1_000_000:
            raise ValueError("queue_lines must be from 64 to 1000000")


def parse_target(text: str) -> tuple[str, str | Endpoint]:
    """Kind (`stdout`, `journald`, `unix`, `udp`, `tcp`, `file`) and address or path. Raises ValueError."""
    if text in ("stdout", "journald"):
        return text, ""
    if text == "syslog":
        return "unix", "/dev/log"
    way, _, where = text.partition(":")
    if way in ("syslog", "syslog+tcp") and not (way == "syslog" and where.startswith("/")):
        return "udp" if way == "syslog" else "tcp", Endpoint.parse(where)
    if way == "syslog" and _is_path(where):
        return "unix", where
    if _is_path(text):
        return "file", text
    raise ValueError(
        f"{text!r} is no place to log to; write stdout, journald, syslog, syslog:192.0.2.1:514, "
        "syslog+tcp:192.0.2.1:514, syslog:/run/log.sock or the path of a file"
    )


def _is_path(text: str) -> bool:
    return text.startswith("/") and text.isprintable() and not text.endswith("/")
