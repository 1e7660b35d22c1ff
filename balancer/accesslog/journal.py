"""One frontend's access log in one worker: records become lines, lines go to the writer in batches."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from math import inf

from balancer.accesslog.lines import FORMATS
from balancer.accesslog.record import Record
from balancer.accesslog.writer import Writer
from balancer.config import Frontend
from balancer.reactor import Reactor

BATCH_LINES = 64
BATCH_S = 0.01
"""Lines wait no longer than this, and the tick of the reactor's wheel, for others to go with."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Gauges = Callable[[str, str], tuple[int, int, int, int]]
"""Connections open now of the node, the frontend, a pool and a server of it."""


class Journal:
    """Where a relay takes its records from, and brings them back to. In the timer wheel while lines wait."""

    __slots__ = (
        "_clock_offset", "_date_then", "_dated", "_dates", "_format", "_gauge", "_gauged", "_gauges", "_iso", "_lines",
        "_reactor", "_request_headers", "_response_headers", "_second", "_writer", "captures_requests",
        "captures_responses", "deadline", "filed_at", "frontend", "query",
    )  # fmt: skip

    def __init__(self, name: str, frontend: Frontend, *, reactor: Reactor, writer: Writer, gauges: Gauges) -> None:
        config = frontend.access_log
        assert config is not None
        self.frontend = name
        self.query = config.query
        self.deadline = self.filed_at = inf
        self._reactor = reactor
        self._writer = writer
        self._gauges = gauges
        name_of_format = "tcplog" if frontend.mode == "tcp" and config.format == "httplog" else config.format
        self._format = FORMATS[name_of_format]
        self._iso = name_of_format == "json"
        self._request_headers = tuple((header, _finder(header)) for header in config.request_headers)
        self._response_headers = tuple((header, _finder(header)) for header in config.response_headers)
        self.captures_requests = bool(self._request_headers)
        self.captures_responses = bool(self._response_headers)
        self._lines: list[str] = []
        self._second = -1
        self._dates = ("", "")
        self._clock_offset = 0.0
        self._dated, self._date_then = -1.0, ""
        self._gauged, self._gauge = (-1.0, "", ""), (0, 0, 0, 0)

    def begin(self, address: str, port: int, begun_at: float) -> Record:
        """A new record."""
        return Record(self.frontend, address, port, begun_at)

    def add(self, record: Record) -> None:
        """It has ended."""
        now = record.ended_at = self._reactor.now
        where = (now, record.pool, record.server)
        if where != self._gauged:  # all that ends in one turn ends at one instant
            self._gauged, self._gauge = where, self._gauges(record.pool, record.server)
        record.gauges = self._gauge
        lines = self._lines
        if not lines:
            self._clock_offset = time.time() - now
            self.deadline = now + BATCH_S
            self._reactor.wheel.file(self, now)
        lines.append(self._format(record, self._date(record.begun_at)))
        if len(lines) >= BATCH_LINES:
            self.flush()

    def flush(self) -> None:
        """Have all lines written that wait."""
        self.deadline = inf
        if self._lines:
            lines, self._lines = self._lines, []
            self._writer.put(lines)

    def expire(self) -> None:
        """Called by the timer wheel."""
        self.flush()

    def capture_request(self, fields: bytes) -> tuple[tuple[str, bytes], ...]:
        """The headers of a request that are to be logged; those that are not there are empty."""
        return tuple((name, _value(finder, fields)) for name, finder in self._request_headers)

    def capture_response(self, fields: bytes) -> tuple[tuple[str, bytes], ...]:
        return tuple((name, _value(finder, fields)) for name, finder in self._response_headers)

    def _date(self, instant: float) -> str:
        """Local time with milliseconds; all but these is remembered for a second."""
        if instant == self._dated:  # as many as come in one turn
            return self._date_then
        wall = instant + self._clock_offset
        second = int(wall)
        if second != self._second:
            self._second, self._dates = second, _iso(second) if self._iso else _clf(second)
        before, after = self._dates
        self._dated, self._date_then = instant, f"{before}.{int((wall - second) * 1000):03}{after}"
        return self._date_then


def _clf(second: int) -> tuple[str, str]:
    at = time.localtime(second)
    day = f"{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{at.tm_year:04}"
    return f"{day}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}", ""


def _iso(second: int) -> tuple[str, str]:
    at = time.localtime(second)
    minutes = abs(at.tm_gmtoff) // 60
    zone = f"{'-' if at.tm_gmtoff < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
    day = f"{at.tm_year:04}-{at.tm_mon:02}-{at.tm_mday:02}"
    return f"{day}T{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}", zone


def _finder(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"\n" + re.escape(name.encode("ascii")) + rb":[ \t]*+([^\r]*+)", re.IGNORECASE)


def _value(finder: re.Pattern[bytes], fields: bytes) -> bytes:
    match = finder.search(fields)
    return match[1].rstrip(b" \t") if match else b""
