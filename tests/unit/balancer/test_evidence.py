"""The last malformed message of each proxy: where it is wrong, and what is not kept of it."""

from typing import Literal

import pytest

from balancer.config import HttpLimits
from balancer.evidence import MOST_BYTES, Evidence, Evidences, masked, position_of
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.request import parse_request

HOST = b"Host: a\r\n"


def keep(evidences: Evidences, data: bytes, at: float = 1.0, pool: str = "") -> None:
    kind: Literal["request", "response"] = "response" if pool else "request"
    server = "one" if pool else ""
    evidences.keep(
        kind, Reason.FIELD_NAME, data, frontend="web", peer=("192.0.2.1", 4711), at=at, pool=pool, server=server
    )  # fmt: skip


def test_the_last_one_of_each_is_kept() -> None:
    evidences = Evidences()
    for at, pool in enumerate(("", "a", "", "b", "b")):
        keep(evidences, b"G / HTTP/1.1\r\nx y: z\r\n", float(at), pool)
    assert evidences.count == 5
    assert [(one.proxy, one.kind, one.number, one.at) for one in evidences] == [
        ("web", "request", 2, 2.0),
        ("a", "response", 1, 1.0),
        ("b", "response", 4, 4.0),
    ]
    first = next(iter(evidences))
    assert (first.client, first.port, first.reason, first.position, first.size) == (
        *("192.0.2.1", 4711, "malformed header name"),
        *(15, 22),
    )


def test_of_a_long_one_the_beginning_is_kept() -> None:
    evidences = Evidences()
    keep(evidences, b"G / HTTP/1.1\r\n" + b"x" * 70_000)
    (one,) = evidences
    assert (one.size, len(one.data)) == (70_014, MOST_BYTES)


def test_it_does_not_show_itself_in_a_log() -> None:
    evidences = Evidences()
    keep(evidences, b"G / HTTP/1.1\r\nx y: a word\r\n")
    assert "a word" not in repr(next(iter(evidences)))
    assert isinstance(next(iter(evidences)), Evidence)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"Authorization: Basic abc=\r\n", b"Authorization:***********\r\n"),
        (b"proxy-authorization:x\r\n", b"proxy-authorization:*\r\n"),
        (b"COOKIE: a=b; c=d\r\nX: y\r\n", b"COOKIE:*********\r\nX: y\r\n"),
        (b"Set-Cookie: a=b\r\n", b"Set-Cookie:****\r\n"),
        (b"Cookie : a=b\r\n", b"Cookie :****\r\n"),
        (b"Cookie\t: a=b\n", b"Cookie\t:****\n"),
        (b"Cookie: a=b\r\n  c=d\r\nX: y\r\n", b"Cookie:****\r\n*****\r\nX: y\r\n"),
        (b"X-Cookie: a=b\r\n", b"X-Cookie: a=b\r\n"),
        (b"Cookie: a=b", b"Cookie:****"),
    ],
)
def test_what_names_a_person_is_not_kept(line: bytes, shown: bytes) -> None:
    head = b"GET / HTTP/1.1\r\n"
    assert masked(head + line) == head + shown


@pytest.mark.parametrize(
    ("data", "position"),
    [
        (b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n", 1),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 6),
        (b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n", 6),
        (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 4),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Bad Header: x\r\n\r\n", 28),
        (b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n", 25),
        (b"GET / HTTP/1.1\r\n" + HOST + b" folded\r\n\r\n", 25),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n", 29),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\n\r\n", 29),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n", 40),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 21),
        (b"GET / HTTP/1.1\r\n\r\n", 18),
    ],
)
def test_where_it_is_wrong(data: bytes, position: int) -> None:
    with pytest.raises(BadMessage) as caught:
        parse_request(data, HttpLimits())
    assert position_of(caught.value.reason, data) == position


@pytest.mark.parametrize(
    ("reason", "data", "position"),
    [
        (Reason.STATUS_LINE, b"junk", 0),
        (Reason.UNDERSCORE, b"GET / HTTP/1.1\r\na_b: c\r\n\r\n", 17),
        (Reason.CHUNK_SIZE, b"GET / HTTP/1.1\r\n\r\nzz", 18),
        (Reason.HEAD_TOO_LARGE, b"GET / HTTP/1.1\r\nx", 17),
        (Reason.REQUEST_LINE, b"GET", 0),
        (Reason.HOST_MALFORMED, b"GET http://( HTTP/1.1\r\n\r\n", 0),
    ],
)
def test_where_others_are(reason: Reason, data: bytes, position: int) -> None:
    assert position_of(reason, data) == position
