"""How a server's health is told: the checks of a pool. Frozen; each type validates itself. Pure."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from balancer.fieldtypes import STRICT, Seconds

_STATUS_RANGE = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_REQUEST_LINE = re.compile(r"(?:GET|HEAD|OPTIONS) /[!-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How a server's health is told. Either `http` (a request line) or `tcp: connect`; `tcp` where neither is given."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    http: str | None = None
    """A method and a path, for example `GET /healthz`."""
    tcp: Literal["connect"] | None = None
    host: str | None = None
    """The Host header of an HTTP check; the server's address where not given."""
    expect: str = "200-399"
    """The status codes that pass: `200`, `200-399`, `200,204,301-302`."""
    port: int | None = None
    """Probe this port instead of the server's own."""
    interval_s: Seconds = 2.0
    fast_interval_s: Seconds | None = None
    """Between probes while health is in transition; `interval` where not given."""
    down_interval_s: Seconds | None = None
    """Between probes of a server that is DOWN; `interval` where not given."""
    timeout_s: Seconds = 2.0
    rise: int = 2
    fall: int = 3

    def __post_init__(self) -> None:
        if self.http is not None and self.tcp is not None:
            raise ValueError("a check is either http or tcp, not both")
        if self.http is not None and not _REQUEST_LINE.fullmatch(self.http):
            raise ValueError(f"{self.http!r} is not a request; write a method and a path, for example GET /healthz")
        if self.host is not None and not re.fullmatch(r"[!-~]+", self.host):
            raise ValueError(f"{self.host!r} is not a host name")
        if self.port is not None and not 1 <= self.port <= 65535:
            raise ValueError("port must be from 1 to 65535")
        if self.rise < 1 or self.fall < 1:
            raise ValueError("rise and fall must be at least 1")
        for span in (self.interval_s, self.fast_interval_s, self.down_interval_s, self.timeout_s):
            if span is not None and span < 0.01:
                raise ValueError("intervals and timeout must be at least 10ms")
        parse_status_ranges(self.expect)


def parse_status_ranges(text: str) -> tuple[range, ...]:
    """Ranges of status codes from `200-399` or `200,301-302`. Raises ValueError."""
    ranges = []
    for part in text.split(","):
        match = _STATUS_RANGE.fullmatch(part.strip(" "))
        if not match or (match[2] and match[2] < match[1]):
            raise ValueError(f"{text!r} is not a set of status codes; write for example 200-399 or 200,204")
        ranges.append(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(ranges)
