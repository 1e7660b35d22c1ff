"""Lines, letter for letter."""

import json

from balancer.accesslog.lines import as_json, httplog, tcplog
from balancer.accesslog.record import Record
from balancer.causes import Cause

DATE = "06/Feb/2009:12:14:14.655"


def whole() -> Record:
    return Record(
        "http-in", "10.0.1.2", 33317, 100.0, head_at=100.010, chosen_at=100.010, connected_at=100.040,
        answered_at=100.109, ended_at=100.109, pool="static", server="srv1", status=200, bytes_in=300, bytes_out=2750,
        method=b"GET", target=b"/index.html", host=b"a", gauges=(4, 3, 2, 1),
    )  # fmt: skip


def test_httplog() -> None:
    assert httplog(whole(), DATE) == (
        "10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 4/3/2/1/0 0/0 "
        '"GET /index.html HTTP/1.1"'
    )


def test_httplog_of_what_was_no_request() -> None:
    record = Record("main", "2001:db8::1", 1, 5.0, ended_at=5.0, status=400, bytes_out=187, tls=True)
    record.cause = Cause.REQUEST_INVALID
    assert httplog(record, DATE) == (
        "2001:db8::1:1 [06/Feb/2009:12:14:14.655] main~ main/<NOSRV> -1/-1/-1/-1/0 400 187 - - PR-- 0/0/0/0/0 0/0 "
        '"<BADREQ>"'
    )


def test_captures_and_a_server_in_another_ones_place() -> None:
    record = whole()
    record.retries, record.redispatched = 2, True
    record.captured = (("Host", b"a"), ("User-Agent", b"x|y{z}\x00"), ("X", b""))
    record.captured_response = (("Server", b'"q"'),)
    assert httplog(record, DATE).endswith(
        ' ---- 4/3/2/1/+2 0/0 {a|x#7Cy#7Bz#7D#00|} {#22q#22} "GET /index.html HTTP/1.1"'
    )


def test_no_client_writes_a_line_of_its_own() -> None:
    record = whole()
    record.target = b'/"\r\n#\x7f\xff'
    assert httplog(record, DATE).endswith(' "GET /#22#0D#0A#23#7F#FF HTTP/1.1"')
    assert "\n" not in as_json(record, DATE)


def test_tcplog() -> None:
    record = Record(
        "fnt", "10.0.1.2", 33313, 10.0, head_at=10.0, chosen_at=10.0, connected_at=10.007, answered_at=10.007,
        ended_at=15.007, pool="bck", server="srv1", bytes_out=212, gauges=(0, 0, 0, 0), retries=3,
    )  # fmt: skip
    assert tcplog(record, "06/Feb/2009:12:12:51.443") == (
        "10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/7/5007 212 -- 0/0/0/0/3 0/0"
    )


def test_json() -> None:
    record = whole()
    record.captured = (("User-Agent", b"x\xff"),)
    record.request_id = b"abc"
    assert json.loads(as_json(record, "2009-02-06T12:14:14.655+01:00")) == {
        "time": "2009-02-06T12:14:14.655+01:00",
        "frontend": "http-in",
        "client": "10.0.1.2",
        "client_port": 33317,
        "method": "GET",
        "host": "a",
        "target": "/index.html",
        "version": "1.1",
        "request_id": "abc",
        "status": 200,
        "bytes_in": 300,
        "bytes_out": 2750,
        "pool": "static",
        "server": "srv1",
        "request_ms": 10,
        "connect_ms": 30,
        "response_ms": 69,
        "total_ms": 109,
        "retries": 0,
        "termination": "--",
        "request_headers": {"User-Agent": "x\\xff"},
    }


def test_json_says_why() -> None:
    record = Record("main", "192.0.2.7", 1, 5.0, ended_at=5.0, status=503, cause=Cause.NO_SERVER)
    found = json.loads(as_json(record, "x"))
    assert (found["termination"], found["reason"]) == ("SC", "no server is available")
    assert "server" not in found
