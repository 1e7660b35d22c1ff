import pytest

from balancer.checks.exchanges import Exchange, Passed, Unhealthy
from balancer.checks.http import http, request_of
from balancer.config_checks import Check


def play(check: Check, *answers: bytes) -> Passed:
    exchange: Exchange = http(check, "192.0.2.1:80")
    next(exchange)
    try:
        for answer in answers:
            exchange.send(answer)
    except StopIteration as done:
        passed: Passed = done.value
        return passed
    raise AssertionError("it waits for more")


def reason_of(check: Check, *answers: bytes) -> str:
    with pytest.raises(Unhealthy) as caught:
        play(check, *answers)
    return str(caught.value)


def test_the_request() -> None:
    assert request_of(Check(http="GET /healthz"), "192.0.2.1:80") == (
        b"GET /healthz HTTP/1.1\r\nHost: 192.0.2.1:80\r\nUser-Agent: hapair\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
    check = Check(http="POST /x", http_version="1.0", headers={"user-agent": "me", "X-A": "b"}, body="hä")
    assert request_of(check, "a") == (
        b"POST /x HTTP/1.0\r\nHost: a\r\nAccept: */*\r\nConnection: close\r\nContent-Length: 3\r\n"
        b"user-agent: me\r\nX-A: b\r\n\r\nh\xc3\xa4"
    )


BODY = Check(http="GET /", expect_body="all is well")


@pytest.mark.parametrize(
    "answers",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nall is well",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nall is ", b"well, so far"),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"so all is well", b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n7\r\nis well\r\n0\r\n\r\n",),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nall is well",),
    ],
)
def test_a_body_that_is_as_it_should_be(answers: tuple[bytes, ...]) -> None:
    assert play(BODY, *answers) == Passed("HTTP 200")


@pytest.mark.parametrize(
    "answers",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nall is well",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"all is", b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n\r\n",),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 65_536,),
    ],
)
def test_a_body_that_is_not(answers: tuple[bytes, ...]) -> None:
    assert reason_of(BODY, *answers) == "HTTP 200, and the body is not what it should be"


def test_a_regex() -> None:
    check = Check(http="GET /", expect_body_regex="well (today|now)\\.$")
    assert play(check, b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nis well now.").reason == "HTTP 200"


def test_the_status_comes_first() -> None:
    assert reason_of(BODY, b"HTTP/1.1 503 No\r\nContent-Length: 11\r\n\r\nall is well") == "HTTP 503"


def test_chunks_that_are_none() -> None:
    reason = reason_of(BODY, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
    assert reason.startswith("not an HTTP response: ")
