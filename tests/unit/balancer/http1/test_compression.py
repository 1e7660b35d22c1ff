"""What is compressed, and what the head of it says."""

import pytest

from balancer.config import HttpLimits
from balancer.config_compression import Compression
from balancer.http1.compression import Chooser, Plan, accepts_gzip, compressed, varied
from balancer.http1.request import RequestHead, parse_request
from balancer.http1.response import ResponseHead, parse_response

HTML = b"Content-Type: text/html; charset=utf-8\r\nContent-Length: 5000\r\n"


def asked(fields: bytes = b"Accept-Encoding: gzip\r\n", method: bytes = b"GET") -> RequestHead:
    head = parse_request(method + b" / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n", HttpLimits())
    assert head is not None
    return head


def answered(fields: bytes = HTML, status: bytes = b"200 OK", method: bytes = b"GET") -> ResponseHead:
    head = parse_response(b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n", method)
    assert head is not None
    return head


def plan(config: Compression | None = None, **of: bytes) -> Plan:
    request = {name: of.pop(name) for name in ("method", "accept") if name in of}
    head = asked(request.get("accept", b"Accept-Encoding: gzip\r\n"), request.get("method", b"GET"))
    return Chooser(config or Compression()).plan(head, answered(method=head.method, **of))


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        (b"gzip", True),
        (b"GZIP", True),
        (b"x-gzip", True),
        (b"deflate, gzip;q=0.5", True),
        (b"gzip; q=1.000", True),
        (b"br, *;q=0.1", True),
        (b"*", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000, *", False),
        (b"*;q=0", False),
        (b"gzip;q=0.2, identity;q=0.5", False),
        (b"gzip;q=0.5, identity;q=0.5", True),
        (b"identity", False),
        (b"br", False),
        (b"", False),
        (b"gzip;q=2", False),
        (b"gzip;q=nan", False),
        (b"gzip;level=1", False),
        (b"gzipped", False),
    ],
)
def test_who_accepts_gzip(value: bytes, accepted: bool) -> None:
    assert accepts_gzip(b"\nHost: a\r\nAccept-Encoding: " + value + b"\r\n") is accepted


def test_several_lines_are_one_list() -> None:
    assert accepts_gzip(b"\nAccept-Encoding: br\r\naccept-encoding:gzip\r\n")
    assert not accepts_gzip(b"\nHost: a\r\n")


def test_what_is_compressed() -> None:
    assert plan() is Plan.GZIP
    assert plan(fields=b"Content-Type: APPLICATION/JSON\r\nTransfer-Encoding: chunked\r\n") is Plan.GZIP
    assert plan(fields=b"Content-Type: text/event-stream\r\n") is Plan.GZIP
    assert plan(status=b"404 Not Found") is Plan.GZIP


def test_who_does_not_accept_it_is_told_that_others_may() -> None:
    assert plan(accept=b"") is Plan.VARY
    assert plan(accept=b"Accept-Encoding: gzip\r\nCache-Control: no-transform\r\n") is Plan.VARY


@pytest.mark.parametrize(
    "of",
    [
        {"fields": b"Content-Type: image/png\r\nContent-Length: 5000\r\n"},
        {"fields": b"Content-Length: 5000\r\n"},
        {"fields": b"Content-Type: text/html\r\nContent-Length: 1023\r\n"},
        {"fields": HTML + b"Content-Encoding: br\r\n"},
        {"fields": HTML + b"Content-Encoding: identity\r\n"},
        {"fields": HTML + b"Cache-Control: public, no-transform\r\n"},
        {"fields": HTML + b"Content-Range: bytes 0-4999/9999\r\n"},
        {"fields": HTML + b"Content-Range: bytes 0-4999/9999\r\n", "status": b"206 Partial Content"},
        {"fields": HTML, "status": b"206 Partial Content"},
        {"fields": HTML, "status": b"304 Not Modified"},
        {"fields": b"Content-Type: text/html\r\n", "status": b"204 No Content"},
        {"method": b"HEAD"},
    ],
)
def test_what_stays_as_it_is(of: dict[str, bytes]) -> None:
    assert plan(**of) is Plan.AS_IS


def test_a_pool_may_say_no() -> None:
    assert plan(Compression(enabled=False)) is Plan.AS_IS


def test_types_and_minimum_are_for_the_file_to_say() -> None:
    config = Compression(types=("image/png",), minimum_bytes=10)
    assert plan(config, fields=b"Content-Type: image/png\r\nContent-Length: 10\r\n") is Plan.GZIP
    assert plan(config) is Plan.AS_IS


def test_the_head_of_what_is_compressed() -> None:
    response = answered(
        HTML
        + b'ETag: "a1"\r\nAccept-Ranges: bytes\r\nVary: Origin\r\nContent-MD5: x\r\nContent-Digest: y\r\nX-A: 1\r\n'
    )
    assert compressed(response, None).passing == (
        b'HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nETag: W/"a1"\r\nVary: Origin\r\nX-A: 1\r\n'
        b"Vary: Accept-Encoding\r\nContent-Encoding: gzip\r\n\r\n"
    )
    assert (compressed(response, 77).length, compressed(response, 77).adds) == (77, True)


@pytest.mark.parametrize("vary", [b"*", b"accept-ENCODING", b"Origin, Accept-Encoding"])
def test_vary_is_not_said_twice(vary: bytes) -> None:
    response = answered(HTML + b"Vary: " + vary + b"\r\n")
    assert varied(response) is response


def test_a_weak_tag_stays_weak() -> None:
    assert b'\r\nETag: W/"a1"\r\n' in compressed(answered(HTML + b'ETag: W/"a1"\r\n'), None).passing
