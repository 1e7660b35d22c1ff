"""How a server's health is told: the checks and agents of a pool. Frozen; each type validates itself. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from balancer.fieldtypes import STRICT, Seconds

Initial = Literal["up", "down", "fully_up", "fully_down"]
OnError = Literal["fast_interval", "fail_check", "sudden_death", "mark_down"]
LOWEST_INTERVAL_S = 0.01

_STATUS_RANGE = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_REQUEST_LINE = re.compile(r"(?!CONNECT )[A-Z]{1,20} (?:/[!-~]*|\*)")
_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?")
_DNS_QUESTION = re.compile(
    r"(?:\.|(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?)(?: (?:A|AAAA|NS|SOA|MX|TXT|SRV|PTR))?"
)
TLS_KINDS = ("tcp", "tls", "http", "redis", "smtp", "grpc")
"""Kinds that may be spoken over TLS."""
_OF_HTTP = ("headers", "body", "http_version", "expect_body", "expect_body_regex")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStep:
    """One step of a conversation: what is sent, then what must come, as text or in hexadecimal."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    send: str | None = None
    send_hex: str | None = None
    expect: str | None = None
    """Must be in what the server says next."""
    expect_hex: str | None = None
    expect_regex: str | None = None

    def __post_init__(self) -> None:
        if self.send is not None and self.send_hex is not None:
            raise ValueError("send either text or hex, not both")
        if sum(one is not None for one in (self.expect, self.expect_hex, self.expect_regex)) > 1:
            raise ValueError("expect either text, hex or a regex, and not two of them")
        if all(one is None for one in (self.send, self.send_hex, *self._expectations())):
            raise ValueError("a step needs something to send or to expect")
        check_hex("send_hex", self.send_hex)
        check_hex("expect_hex", self.expect_hex)
        check_regex("expect_regex", self.expect_regex)
        if "" in self._expectations():
            raise ValueError("expect must not be empty")

    def _expectations(self) -> tuple[str | None, ...]:
        return (self.expect, self.expect_hex, self.expect_regex)

    @property
    def data(self) -> bytes:
        """What is sent; empty: nothing."""
        return bytes.fromhex(self.send_hex) if self.send_hex is not None else (self.send or "").encode()

    @property
    def pattern(self) -> re.Pattern[bytes] | None:
        """What must come; None: nothing need."""
        if self.expect_regex is not None:
            return re.compile(self.expect_regex.encode(), re.DOTALL)
        if self.expect_hex is not None:
            return re.compile(re.escape(bytes.fromhex(self.expect_hex)))
        return None if self.expect is None else re.compile(re.escape(self.expect.encode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTls:
    """TLS for a check. Of what is not given here, what the pool's own TLS says holds."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    verify: bool | None = None
    """The certificate must be valid, and for this name; None: as the pool has it, or else it must."""
    name: str | None = None
    """In the handshake and the certificate; the pool's, else the check's `host`, else the server's address."""
    ca_file: str | None = None
    """Whole path; the pool's authorities, or the system's, where not given."""

    def __post_init__(self) -> None:
        if self.ca_file is not None and not self.ca_file.startswith("/"):
            raise ValueError("ca_file must be a whole path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How a server's health is told: one of several kinds, or a TLS handshake; `tcp: connect` where none is given."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    http: str | None = None
    """A method and a path, for example `GET /healthz`."""
    tcp: Literal["connect"] | None = None
    """With `steps` a conversation follows."""
    udp: CheckStep | None = None
    script: tuple[str, ...] = ()
    """A program and its arguments; exit status 0 passes."""
    dns: str | None = None
    """A name and a type, for example `example.org A`."""
    redis: Literal["ping"] | None = None
    postgres: Literal["startup"] | None = None
    mysql: Literal["handshake"] | None = None
    smtp: Literal["hello"] | None = None
    grpc: Literal["health"] | None = None
    tls: CheckTls | None = None
    """What is said is said over TLS; alone: the handshake is the check. None: as the pool has it."""
    plain: bool = False
    """In clear, whatever the pool has."""
    steps: tuple[CheckStep, ...] = ()
    host: str | None = None
    """The Host header, or the name that an SMTP server is greeted with; the server's address where not given."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    http_version: Literal["1.0", "1.1"] = "1.1"
    expect: str = "200-399"
    """The status codes that pass: `200`, `200-399`, `200,204,301-302`."""
    expect_body: str | None = None
    """Must be in the response's body, within its first 64 KiB."""
    expect_body_regex: str | None = None
    user: str | None = None
    """Of a database."""
    service: str | None = None
    """Of gRPC health; the whole server where not given."""
    address: str | None = None
    """Probe this IP address instead of the server's own."""
    port: int | None = None
    """Probe this port instead of the server's own."""
    interval_s: Seconds = 2.0
    fast_interval_s: Seconds | None = None
    """Between probes while health is in transition; `interval` where not given."""
    down_interval_s: Seconds | None = None
    """Between probes of a server that is DOWN; `interval` where not given."""
    timeout_s: Seconds = 2.0
    jitter_percent: int = 5
    """By which a probe may be early or late, so that probes do not fall into step."""
    rise: int = 2
    fall: int = 3
    initial: Initial = "up"
    observe: Literal["layer4", "layer7"] | None = None
    """Errors of real traffic count too."""
    error_limit: int = 10
    """So many errors in a row are one too many."""
    on_error: OnError = "fail_check"

    def __post_init__(self) -> None:
        kinds = self.kinds
        if len(kinds) > 1:
            raise ValueError(f"a check is either {' or '.join(kinds)}, not both")
        if self.http is not None and not _REQUEST_LINE.fullmatch(self.http):
            raise ValueError(f"{self.http!r} is not a request; write a method and a path, for example GET /healthz")
        if self.host is not None and not re.fullmatch(r"[!-~]+", self.host):
            raise ValueError(f"{self.host!r} is not a host name")
        _check_kind(self)
        _check_place(self.address, self.port)
        if self.rise < 1 or self.fall < 1:
            raise ValueError("rise and fall must be at least 1")
        check_spans(self.interval_s, self.fast_interval_s, self.down_interval_s, self.timeout_s)
        if not 0 <= self.jitter_percent <= 50:
            raise ValueError("jitter_percent must be from 0 to 50")
        if self.error_limit < 1:
            raise ValueError("error_limit must be at least 1")
        parse_status_ranges(self.expect)

    @property
    def has_place(self) -> bool:
        """It goes somewhere else than clients are sent to."""
        return self.address is not None or self.port is not None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are named; more than one is refused."""
        named = ("http", "tcp", "udp", "dns", "redis", "postgres", "mysql", "smtp", "grpc")
        return tuple(kind for kind in named if getattr(self, kind) is not None) + (("script",) if self.script else ())

    @property
    def kind(self) -> str:
        """What it does."""
        return self.kinds[0] if self.kinds else "tls" if self.tls is not None and not self.steps else "tcp"


def _check_kind(check: Check) -> None:
    """Raise ValueError for what does not go with the kind of check."""
    kind = check.kind
    given = {"steps": check.steps, "user": check.user, "service": check.service}
    given |= {key: getattr(check, key) for key in _OF_HTTP if key != "http_version"}
    allowed = {"tcp": {"steps"}, "http": set(_OF_HTTP), "postgres": {"user"}, "mysql": {"user"}, "grpc": {"service"}}
    for key, value in given.items():
        if value and key not in allowed.get(kind, set()):
            raise ValueError(f"{key} must not be given with a {kind} check")
    if check.tls is not None and kind not in TLS_KINDS:
        raise ValueError(f"tls must not be given with a {kind} check")
    if check.tls is not None and check.plain:
        raise ValueError("a check is either over tls or plain, not both")
    if kind == "postgres" and not check.user:
        raise ValueError("postgres needs a user to ask for; it need not exist, and no password is sent")
    if check.dns is not None and not _DNS_QUESTION.fullmatch(check.dns):
        raise ValueError("dns must be a name and a type, for example example.org A")
    if check.script and (not check.script[0].startswith("/") or any("\0" in word for word in check.script)):
        raise ValueError("script must begin with the whole path of a program, for example [/usr/local/bin/probe, now]")
    for name, value in check.headers.items():
        if not _FIELD_NAME.fullmatch(name) or (value and not _FIELD_VALUE.fullmatch(value)):
            raise ValueError(f"headers must be names and values of printable ASCII, not {name}: {value}")
    check_regex("expect_body_regex", check.expect_body_regex)


def _check_place(address: str | None, port: int | None) -> None:
    if address is not None and not re.fullmatch(r"[0-9A-Fa-f.:]+", address):
        raise ValueError("address must be an IP address")
    if port is not None and not 1 <= port <= 65535:
        raise ValueError("port must be from 1 to 65535")


def check_spans(*spans: float | None) -> None:
    """Raise ValueError where something would be done all the time."""
    for span in spans:
        if span is not None and span < LOWEST_INTERVAL_S:
            raise ValueError("intervals and timeout must be at least 10ms")


def check_hex(key: str, text: str | None) -> None:
    """Raise ValueError where a text is not bytes in hexadecimal."""
    if text is not None and not re.fullmatch(r"(?:[0-9A-Fa-f]{2}\s*)*", text):
        raise ValueError(f"{key} must be bytes in hexadecimal, for example 0d0a")


def check_regex(key: str, text: str | None) -> None:
    """Raise ValueError where a text is not a regular expression."""
    try:
        re.compile((text or "").encode())
    except re.error as error:
        raise ValueError(f"{key} must be a regular expression: {error}") from None


def parse_status_ranges(text: str) -> tuple[range, ...]:
    """Ranges of status codes from `200-399` or `200,301-302`. Raises ValueError."""
    ranges = []
    for part in text.split(","):
        match = _STATUS_RANGE.fullmatch(part.strip(" "))
        if not match or (match[2] and match[2] < match[1]):
            raise ValueError(f"{text!r} is not a set of status codes; write for example 200-399 or 200,204")
        ranges.append(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCheck:
    """A program beside the server that says how it stands (HAProxy's agent-check)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    port: int | None = None
    """Needed where servers have no `agent_address`."""
    send: str | None = None
    """Sent to it first."""
    interval_s: Seconds = 2.0
    timeout_s: Seconds = 2.0

    def __post_init__(self) -> None:
        _check_place(None, self.port)
        check_spans(self.interval_s, self.timeout_s)
