"""What is known of one request, or of one connection in mode tcp, for its line in a log. Pure.

Instants are on the reactor's clock. One that is None was not reached.
"""

from __future__ import annotations

from typing import Any

from balancer.causes import Cause
from balancer.slots import BYTES_IN


class Record:
    """Filled in while the request is served; made only where there is a log.

    What a record begins with stands in the class, and not in each record: most of it stays as it is.
    """

    frontend: str
    address: str
    port: int
    begun_at: float
    """Mode http: the first byte of the request came. Mode tcp: the connection came."""
    head_at: float | None = None
    chosen_at: float | None = None
    connected_at: float | None = None
    answered_at: float | None = None
    """The first byte of the response came."""
    ended_at: float = 0.0
    pool: str = ""
    server: str = ""
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    method: bytes = b""
    """Empty: what came was no request."""
    target: bytes = b""
    version: str = "1.1"
    """Of HTTP."""
    host: bytes = b""
    request_id: bytes = b""
    tls: bool = False
    had_to_wait: bool = False
    """For a server."""
    behind: tuple[int, int] = (0, 0)
    """How many were ahead: of those who wait for the server that it belongs to, and for any."""
    queued: bool = False
    """It waits, or left while it did."""
    cookie: str = ""
    """HAProxy's letter for the cookie that names a server, as it came (PoolState.cookie_of); empty: there is none."""
    cookie_server: str = ""
    """The server that it names."""
    cookie_set: str = ""
    """The same for what was done about it in the response (CookieJar.done)."""
    retries: int = 0
    redispatched: bool = False
    cause: Cause | None = None
    aborted: bool = False
    """The client went away."""
    killed: bool = False
    """The time that open connections had to end was over."""
    bug: bool = False
    """It ended by a mistake of ours."""
    local: bool = False
    """Answered by us."""
    why: str = ""
    unreachable: str = ""
    """Where the last connection that could not be made was to lead, and why it could not."""
    captured: tuple[tuple[str, bytes], ...] = ()
    captured_response: tuple[tuple[str, bytes], ...] = ()
    gauges: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Connections open as it ended: of the node, the frontend, the pool, the server."""

    def __init__(self, frontend: str, address: str, port: int, begun_at: float, **known: Any) -> None:
        """`known`: any other of the attributes."""
        self.frontend = frontend
        self.address = address
        self.port = port
        self.begun_at = begun_at
        if known:
            self.__dict__ |= known

    def attempt(self, pool: str, server: str | None, tried: int, now: float) -> None:
        """A connection to a server is about to be made, after `tried` others; None: there is none to be had."""
        self.pool = pool
        if server is not None:
            self.redispatched = tried > 0 and server != self.server
            self.server, self.retries = server, self.retries + (tried > 0)
            self.queued = False
            if self.chosen_at is None:
                self.chosen_at = now

    def note_queued(self, pool: str, server: str | None, ahead: int) -> None:
        """It waits for a server; `ahead` of it as many others."""
        self.pool, self.queued, self.had_to_wait = pool, True, True
        self.behind = (self.behind[0], ahead) if server is None else (ahead, self.behind[1])

    def note_unqueued(self, now: float, *, served: bool) -> None:
        """It waits no more, or never will have waited enough."""
        self.queued = not served
        self.chosen_at = now

    def add(self, slot: int, amount: int = 1) -> None:
        """Bytes went through: a record can stand beside counters."""
        if slot == BYTES_IN:
            self.bytes_in += amount
        else:
            self.bytes_out += amount


_BEFORE_ANSWER = {
    Cause.HEADER_TIMEOUT: "cR",
    Cause.BODY_TIMEOUT: "cH",
    Cause.BODY_TOO_SLOW: "cH",
    Cause.CONNECT_FAILED: "SC",
    Cause.NO_SERVER: "SC",
    Cause.QUEUE_TIMEOUT: "sQ",
    Cause.QUEUE_TOO_LONG: "SQ",
    Cause.NO_ROUTE: "SC",
    Cause.RESPONSE_TIMEOUT: "sH",
    Cause.RESPONSE_CUT: "SH",
    Cause.SERVER_LEFT: "DH",
    Cause.RESPONSE_INVALID: "PH",
    Cause.TUNNEL_IDLE: "sD",
    Cause.REQUEST_TIMEOUT: "sH",
}
_AFTER_ANSWER = {
    Cause.BODY_TIMEOUT: "cD",
    Cause.BODY_TOO_SLOW: "cD",
    Cause.SEND_TIMEOUT: "cD",
    Cause.CLIENT_TOO_SLOW: "cD",
    Cause.RESPONSE_IDLE: "sD",
    Cause.RESPONSE_CUT: "SD",
    Cause.SERVER_LEFT: "DD",
    Cause.TUNNEL_IDLE: "sD",
    Cause.REQUEST_TIMEOUT: "sD",
}


_REFUSALS = frozenset((401, 403, 429))
"""Answers of ours with these mean no; any other is an answer."""


def termination(record: Record) -> str:
    """HAProxy's first two characters: who ended it and how, and in which phase (configuration.txt section 8.5)."""
    cause, answered = record.cause, record.answered_at is not None
    if cause is not None:
        return _AFTER_ANSWER.get(cause, "PD") if answered else _BEFORE_ANSWER.get(cause, "PR")
    if record.bug:
        return "I" + _phase(record)
    if record.aborted or record.killed:
        return ("K" if record.killed else "C") + _phase(record)
    if record.local:
        return "PR" if record.status in _REFUSALS else "LR"
    return "--"


def persistence(record: Record) -> str:
    """HAProxy's other two characters: the cookie that names a server, in the request and in the response."""
    if not (record.cookie or record.cookie_set):
        return "--"
    missed = record.cookie == "V" and record.server not in ("", record.cookie_server)
    return ("D" if missed else record.cookie or "N") + (record.cookie_set or "N")


def _phase(record: Record) -> str:
    if record.answered_at is not None:
        return "D"
    if record.head_at is None:
        return "R"
    if record.queued:
        return "Q"
    return "C" if record.connected_at is None else "H"


def reason(record: Record) -> str:
    """Why it ended otherwise than well, in words; empty where all was well."""
    if record.cause is Cause.CONNECT_FAILED and record.unreachable:
        return f"{record.cause.value}; at last {record.unreachable}"
    if record.why:
        return record.why
    if record.cause is not None:
        return record.cause.value
    if record.bug:
        return "a mistake of ours, which the program's own log tells of"
    if record.killed:
        return "it was still open when the time to drain was over"
    return "the client went away" if record.aborted else ""
