"""What is refused here is in test_rules.py."""

import pytest

from balancer.config import HttpLimits
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.framing import CHUNKED
from balancer.http1.request import parse_request
from balancer.http2.request import request_of, trailer_lines

GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/a?b"), (b":authority", b"example.org")]
POST = [(b":method", b"POST"), *GET[1:]]


def test_a_request_as_http_1_1_has_it():
    request = request_of([*GET, (b"accept", b"*/*")], ended=True)
    assert request == (b"GET /a?b HTTP/1.1\r\nhost: example.org\r\naccept: */*\r\n\r\n", b"GET", None, False)


def test_a_body_of_unknown_length_goes_on_in_chunks():
    request = request_of(POST, ended=False)
    assert request.head.endswith(b"host: example.org\r\ntransfer-encoding: chunked\r\n\r\n")
    assert (request.length, request.chunked) == (None, True)


def test_a_body_of_known_length_goes_on_as_it_is():
    request = request_of([*POST, (b"content-length", b"012")], ended=False)
    assert request.head.endswith(b"content-length: 12\r\n\r\n")
    assert (request.length, request.chunked) == (12, False)


@pytest.mark.parametrize(("method", "said"), [(b"POST", True), (b"PUT", True), (b"GET", False), (b"DELETE", False)])
def test_no_body_is_said_where_one_is_expected(method, said):
    head = request_of([(b":method", method), *GET[1:]], ended=True).head
    assert (b"content-length: 0\r\n" in head) is said


def test_cookie_crumbs_are_joined():
    head = request_of([*GET, (b"cookie", b"a=b"), (b"x", b"y"), (b"cookie", b"c=d")], ended=True).head
    assert head.count(b"cookie") == 1
    assert b"cookie: a=b; c=d\r\n" in head


def test_one_host_is_said():
    assert request_of([*GET, (b"host", b"EXAMPLE.org")], ended=True).head.count(b"host: ") == 1
    assert b"\r\nhost: other\r\n" in request_of([*GET[:3], (b"host", b"other")], ended=True).head


def test_without_any_the_parser_refuses():
    with pytest.raises(BadMessage) as caught:
        parse_request(request_of(GET[:3], ended=True).head, HttpLimits())
    assert caught.value.reason is Reason.HOST_MISSING


def test_te_trailers_is_kept():
    head = parse_request(request_of([*GET, (b"te", b"trailers")], ended=True).head, HttpLimits())
    assert head is not None
    assert head.trailers


def test_connect_and_options():
    connect = [(b":method", b"CONNECT"), (b":authority", b"a:443")]
    assert request_of(connect, ended=False).head.startswith(b"CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n")
    options = [(b":method", b"OPTIONS"), (b":scheme", b"http"), (b":path", b"*"), (b":authority", b"a")]
    assert request_of(options, ended=True).head == b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"


@pytest.mark.parametrize("path", [b"/%0d%0a", b"//b", b"/a;b=c?d=/e"])
def test_the_parser_reads_the_same(path):
    fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":path", path), (b":authority", b"[::1]:80")]
    head = parse_request(request_of(fields, ended=False).head, HttpLimits())
    assert head is not None
    assert (head.method, head.target, head.host, head.body) == (b"POST", path, b"[::1]:80", CHUNKED)


def test_trailers():
    assert trailer_lines([(b"a", b"b"), (b"c", b"")]) == b"a: b\r\nc: \r\n"
