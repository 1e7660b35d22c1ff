"""The lines of access logs: HAProxy's httplog and tcplog, and JSON. Pure.

(HAProxy: configuration.txt section 8.2.) Whatever came over the wire is escaped: no client writes a line of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from balancer.accesslog.record import Record, persistence, reason, termination

Format = Callable[[Record, str], str]
"""A record and its date (`clf`, or ISO 8601 for JSON), to a line without an end."""

_IN_REQUEST = re.compile(r"[^ !$-~]")
_IN_CAPTURE = re.compile(r"[^ !$-z~]")


def httplog(record: Record, date: str) -> str:
    """`%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs "%r"`."""
    captures = ""
    if record.captured or record.captured_response:
        captures = _captures(record.captured) + _captures(record.captured_response)
    return (
        f"{_begin(record, date)} {_timers(record)} {record.status or -1} {record.bytes_out} - - "
        f"{termination(record)}{persistence(record)} {_gauges(record)} {_behind(record)} {captures}{_request(record)}"
    )


def _timers(record: Record) -> str:
    """`%TR/%Tw/%Tc/%Tr/%Ta`. A request that was answered has reached all of them: no need to look at each."""
    begun, head, chosen, connected, answered, ended = (
        record.begun_at, record.head_at, record.chosen_at, record.connected_at, record.answered_at, record.ended_at,
    )  # fmt: skip
    if answered is None or head is None or chosen is None or connected is None:
        return (
            f"{_ms(begun, head)}/{_ms(head, chosen)}/{_ms(chosen, connected)}/{_ms(connected, answered)}"
            f"/{_ms(begun, ended)}"
        )
    if begun == head == chosen == connected:  # it came whole, and a connection was kept for it
        return f"0/0/0/{(answered - head) * 1000:.0f}/{(ended - head) * 1000:.0f}"
    return "%.0f/%.0f/%.0f/%.0f/%.0f" % (  # noqa: UP031 - half the time of an f-string here
        (head - begun) * 1000,
        (chosen - head) * 1000,
        (connected - chosen) * 1000,
        (answered - connected) * 1000,
        (ended - begun) * 1000,
    )


def tcplog(record: Record, date: str) -> str:
    """`%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq`."""
    timers = (
        f"{_ms(record.begun_at, record.chosen_at)}/{_ms(record.chosen_at, record.connected_at)}"
        f"/{_ms(record.begun_at, record.ended_at)}"
    )
    gauges = f"{_gauges(record)} {_behind(record)}"
    return f"{_begin(record, date)} {timers} {record.bytes_out} {termination(record)} {gauges}"


def as_json(record: Record, date: str) -> str:
    """One object. What was not reached is left out."""
    found: dict[str, object] = {
        "time": date,
        "frontend": record.frontend,
        "client": record.address,
        "client_port": record.port,
        "method": _text(record.method),
        "host": _text(record.host),
        "target": _text(record.target),
        "version": record.version if record.method else "",
        "request_id": _text(record.request_id),
        "status": record.status,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
        "pool": record.pool,
        "server": record.server,
        "request_ms": _between(record.begun_at, record.head_at),
        "queue_ms": _between(record.head_at, record.chosen_at) if record.had_to_wait else None,
        "connect_ms": _between(record.chosen_at, record.connected_at),
        "response_ms": _between(record.connected_at, record.answered_at),
        "total_ms": _between(record.begun_at, record.ended_at),
        "retries": record.retries,
        "termination": termination(record),
        "persistence": (record.cookie or record.cookie_set) and persistence(record),
        "reason": reason(record),
        "request_headers": {name: _text(value) for name, value in record.captured},
        "response_headers": {name: _text(value) for name, value in record.captured_response},
    }
    kept = {key: value for key, value in found.items() if value not in ("", None, {}) and (key, value) != ("status", 0)}
    return json.dumps(kept, separators=(",", ":"))


FORMATS: dict[str, Format] = {"httplog": httplog, "tcplog": tcplog, "json": as_json}


def _begin(record: Record, date: str) -> str:
    tls = "~" if record.tls else ""
    where = f"{record.pool or record.frontend}/{record.server or '<NOSRV>'}"
    return f"{record.address}:{record.port} [{date}] {record.frontend}{tls} {where}"


def _gauges(record: Record) -> str:
    node, frontend, pool, server = record.gauges
    return f"{node}/{frontend}/{pool}/{server}/{'+' if record.redispatched else ''}{record.retries}"


def _behind(record: Record) -> str:
    """`%sq/%bq`."""
    return "%d/%d" % record.behind  # noqa: UP031 - faster than an f-string


def _request(record: Record) -> str:
    if not record.method:
        return '"<BADREQ>"'
    words = b"%b %b" % (record.method, record.target)
    return f'"{_IN_REQUEST.sub(_hexadecimal, words.decode("latin-1"))} HTTP/{record.version}"'


def _captures(captured: tuple[tuple[str, bytes], ...]) -> str:
    if not captured:
        return ""
    values = (_IN_CAPTURE.sub(_hexadecimal, value.decode("latin-1")) for _, value in captured)
    return "{" + "|".join(values) + "} "


def _hexadecimal(match: re.Match[str]) -> str:
    return f"#{ord(match[0]):02X}"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _ms(start: float | None, end: float | None) -> int:
    return -1 if start is None or end is None else max(0, round((end - start) * 1000))


def _between(start: float | None, end: float | None) -> int | None:
    return None if start is None or end is None else _ms(start, end)
