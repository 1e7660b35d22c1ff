"""Whatever a server says to a check, cut however, is a pass or a failure with words for a log, and nothing else."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from balancer.checks import dns
from balancer.checks.agent_words import parse_words
from balancer.checks.exchanges import Exchange, Unhealthy, conversation, mysql, postgres, redis, smtp
from balancer.checks.grpc import frame, grpc
from balancer.checks.http import http
from balancer.config_checks import Check, CheckStep

EXCHANGES: list[Callable[[], Exchange]] = [
    redis,
    lambda: postgres("hapair"),
    lambda: mysql(None),
    lambda: mysql("hapair"),
    lambda: smtp("lb"),
    lambda: grpc("", "a", tls=False),
    lambda: http(Check(http="GET /", expect_body="x"), "a"),
    lambda: conversation((CheckStep(expect="2"), CheckStep(send="a", expect_regex="b+"))),
]
FRAMES = st.builds(frame, st.integers(0, 9), st.integers(0, 255), st.integers(0, 2), st.binary(max_size=12))
PIECES = st.one_of(
    st.binary(min_size=1, max_size=40),
    FRAMES,
    st.sampled_from(
        [b"220 x\r\n", b"250-a\r\n", b"502 ?\n", b"R\0\0\0\x08", b"E\0\0\0\x09M", b"\5\0\0\0\x0a5\0", b"\3\0\0\2\xff#",
         b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n", b"3\r\nabc\r\n", b"+PONG\r\n", b"2", b"bb"]
    ),
)  # fmt: skip


def outcome(exchange: Exchange, pieces: list[bytes]) -> tuple[str, str]:
    """Words and code, once the server has said all of this and closed the connection."""
    try:
        next(exchange)
        for piece in (*pieces, b""):
            exchange.send(piece)
    except Unhealthy as failure:
        return str(failure), failure.code
    except StopIteration as done:
        return done.value.reason, "passed"
    return "", "it waits for more after the end"


@given(st.sampled_from(EXCHANGES), st.lists(PIECES, max_size=8))
def test_any_bytes(make: Callable[[], Exchange], pieces: list[bytes]) -> None:
    words, code = outcome(make(), pieces)

    assert words.isprintable()
    assert code in ("L7RSP", "L7STS", "passed")


def judged(message: bytes) -> str:
    try:
        return dns.judge(message)
    except Unhealthy as failure:
        return str(failure)


@given(st.binary(max_size=60), st.integers(0, 65_535))
def test_any_datagram(data: bytes, number: int) -> None:
    asked = dns.question("example.org", number)
    for datagram in (data, asked[:2] + data, asked[:2] + b"\x81\x80" + data):
        if dns.is_answer(datagram, asked):
            assert judged(datagram).isprintable()


@given(st.binary(max_size=60))
def test_any_line_of_an_agent(line: bytes) -> None:
    words = parse_words(line)
    assert words is None or words.text.isprintable()
