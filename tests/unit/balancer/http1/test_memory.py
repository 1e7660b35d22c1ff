"""What may be remembered of a head beyond its connection, and how much of it."""

import pytest

from balancer.http1.memory import MOST_BYTES, MOST_HEADS, Memory, is_harmless_request, is_harmless_response


def test_what_was_remembered_is_found_by_all_of_its_bytes():
    memory: Memory[str] = Memory()
    memory.remember(b"GET / HTTP/1.1\r\n\r\n", "a head")
    assert memory.get(b"GET / HTTP/1.1\r\n\r\n") == "a head"
    assert memory.get(b"GET / HTTP/1.1\r\n") is None
    assert memory.get(b"GET / HTTP/1.0\r\n\r\n") is None


def test_a_full_memory_begins_anew():
    memory: Memory[int] = Memory()
    for number in range(MOST_HEADS):
        memory.remember(b"%d" % number, number)
    assert (len(memory), memory.get(b"0")) == (512, 0)
    memory.remember(b"one more", -1)
    assert dict(memory) == {b"one more": -1}


def test_it_takes_no_more_than_half_a_mebibyte_of_heads():
    assert MOST_HEADS * MOST_BYTES == 524_288


@pytest.mark.parametrize(
    "fields",
    [
        b"\n",
        b"\nHost: a.example\r\n",
        b"\nhost: a.example\r\nUSER-AGENT: curl/8\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n",
        b'\nHost: a\r\nIf-None-Match: "x"\r\nSec-Fetch-Mode: cors\r\nSec-CH-UA-Mobile: ?0\r\nDNT: 1\r\n',
    ],
)
def test_harmless_requests(fields):
    assert is_harmless_request(b"/index.html", fields)


@pytest.mark.parametrize(
    "field",
    [
        b"Cookie: session=1",
        b"Authorization: Basic eDp5",
        b"Proxy-Authorization: Basic eDp5",
        b"X-Api-Key: 1",
        b"Referer: https://a.example/?token=1",
        b"X-Forwarded-For: 192.0.2.1",
        b"Hosts: a",
        b"Accept: */*\nCookie: session=1",
        b"Content-Length: 1",
    ],
)
@pytest.mark.parametrize("before", [b"\n", b"\nHost: a\r\n"])
def test_requests_that_may_tell_something(before, field):
    assert not is_harmless_request(b"/", before + field + b"\r\n")
    assert not is_harmless_request(b"/", before + field + b"\r\nAccept: */*\r\n")


def test_a_query_may_be_a_secret():
    assert not is_harmless_request(b"/login?token=1", b"\nHost: a\r\n")
    assert not is_harmless_request(b"/?", b"\nHost: a\r\n")


@pytest.mark.parametrize(
    ("fields", "harmless"),
    [
        (b'\nServer: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\nETag: "1"\r\n', True),
        (b"\nAccess-Control-Allow-Origin: *\r\nX-Frame-Options: DENY\r\nVary: Accept\r\n", True),
        (b"\n", True),
        (b"\nSet-Cookie: session=1\r\n", False),
        (b"\nDate: now\r\nset-cookie: session=1\r\nServer: x\r\n", False),
        (b"\nLocation: /?token=1\r\n", False),
        (b"\nWWW-Authenticate: Digest nonce=1\r\n", False),
        (b"\nX-Request-Id: 1\r\n", False),
    ],
)
def test_responses(fields, harmless):
    assert is_harmless_response(fields) is harmless
