"""The expressions themselves: alphabets, and time that grows no faster than the input."""

import re
import time

import pytest

from balancer.http1 import grammar


def test_token_characters() -> None:
    token = re.compile(grammar.TOKEN)
    accepted = bytes(code for code in range(256) if token.fullmatch(bytes((code,))))
    assert accepted == b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~"


def test_value_characters() -> None:
    value = re.compile(grammar.VALUE)
    refused = bytes(code for code in range(256) if not value.fullmatch(bytes((code,))))
    assert refused == bytes((*range(9), *range(10, 32), 127))


def test_target_characters() -> None:
    refused = [code for code in range(33, 127) if not grammar.REQUEST_HEAD.match(b"GET /%c HTTP/1.1\r\n\r\n" % code)]
    assert refused == [ord("#")]


@pytest.mark.parametrize("host", [b"a", b"a.b-c_d~", b"a:80", b"a:", b"[::1]", b"[::1]:80", b"192.0.2.1"])
def test_hosts(host: bytes) -> None:
    assert grammar.HOST.fullmatch(host)


@pytest.mark.parametrize(
    "host", [b"", b":80", b"a:b", b"a:123456", b"::1", b"[::1", b"[]", b"a b", b"a%00", b"*", b"[v1.x]"]
)
def test_no_hosts(host: bytes) -> None:
    assert not grammar.HOST.fullmatch(host)


@pytest.mark.parametrize(
    "hostile",
    [b"GET / HTTP/1.1\r\n" + b"a:" * 30_000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000 + b"x", b"a" * 60_000],
    ids=["colons", "lines", "token"],
)
def test_no_backtracking(hostile: bytes) -> None:
    started_at = time.perf_counter()
    assert grammar.REQUEST_HEAD.match(hostile) is None
    assert time.perf_counter() - started_at < 0.5
