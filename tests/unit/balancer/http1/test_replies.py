"""Responses of our own."""

from balancer.config import HttpLimits
from balancer.http1.replies import answer_here, phrase_of, refusal
from balancer.http1.request import RequestHead, parse_request


def request(data: bytes) -> RequestHead:
    head = parse_request(data, HttpLimits())
    assert head is not None
    return head


def test_refusal() -> None:
    assert refusal(503, "no server is available") == (
        b"HTTP/1.1 503 Service Unavailable\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 48\r\n"
        b"Cache-Control: no-store\r\n"
        b"Connection: close\r\n\r\n"
        b"503 Service Unavailable: no server is available\n"
    )


def test_refusal_of_head_has_no_body() -> None:
    assert refusal(502, "x", head_only=True).endswith(b"Content-Length: 19\r\nCache-Control: no-store\r\n"
                                                     b"Connection: close\r\n\r\n")  # fmt: skip


def test_405_names_the_methods() -> None:
    assert b"\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n" in refusal(405, "no")


def test_options_that_may_go_no_further() -> None:
    assert answer_here(request(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 0\r\n"
        b"Cache-Control: no-store\r\n"
        b"Connection: close\r\n\r\n"
    )


def test_trace_is_echoed_without_secrets() -> None:
    trace = b"TRACE /x HTTP/1.1\r\nHost: a\r\nCookie: s\r\nAuthorization: t\r\nX: y\r\nMax-Forwards: 0\r\n\r\n"
    assert answer_here(request(trace)) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: message/http\r\n"
        b"Content-Length: 36\r\n"
        b"Cache-Control: no-store\r\n"
        b"Connection: close\r\n\r\n"
        b"TRACE /x HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"
    )


def test_a_page_in_place_of_the_text() -> None:
    assert refusal(503, "no server", page=(b"text/html", b"<p>")) == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 3\r\n"
        b"Cache-Control: no-store\r\nConnection: close\r\n\r\n<p>"
    )


def test_phrases() -> None:
    assert (phrase_of(403), phrase_of(499)) == (b"Forbidden", b"")
