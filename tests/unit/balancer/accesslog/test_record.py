"""How a record says in two characters how it ended."""

import pytest

from balancer.accesslog.record import Record, reason, termination
from balancer.causes import Cause
from balancer.slots import BYTES_IN, BYTES_OUT


def record(**known: object) -> Record:
    return Record("main", "192.0.2.7", 4711, 0.0, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "code"),
    [
        ({"answered_at": 1.0}, "--"),
        ({"local": True, "status": 302}, "LR"),
        ({"local": True, "status": 403}, "PR"),
        ({"cause": Cause.HEADER_TIMEOUT}, "cR"),
        ({"cause": Cause.BODY_TIMEOUT}, "cH"),
        ({"cause": Cause.BODY_TOO_SLOW}, "cH"),
        ({"cause": Cause.CONNECT_FAILED}, "SC"),
        ({"cause": Cause.NO_SERVER}, "SC"),
        ({"cause": Cause.RESPONSE_TIMEOUT}, "sH"),
        ({"cause": Cause.RESPONSE_CUT}, "SH"),
        ({"cause": Cause.RESPONSE_INVALID}, "PH"),
        ({"cause": Cause.REQUEST_INVALID}, "PR"),
        ({"cause": Cause.DENIED}, "PR"),
        ({"cause": Cause.TOO_MANY_REQUESTS}, "PR"),
        ({"cause": Cause.RESPONSE_CUT, "answered_at": 1.0}, "SD"),
        ({"cause": Cause.RESPONSE_IDLE, "answered_at": 1.0}, "sD"),
        ({"cause": Cause.SEND_TIMEOUT, "answered_at": 1.0}, "cD"),
        ({"cause": Cause.CLIENT_TOO_SLOW, "answered_at": 1.0}, "cD"),
        ({"cause": Cause.TUNNEL_IDLE, "answered_at": 1.0}, "sD"),
        ({"aborted": True}, "CR"),
        ({"aborted": True, "head_at": 1.0}, "CC"),
        ({"aborted": True, "head_at": 1.0, "connected_at": 1.0}, "CH"),
        ({"aborted": True, "head_at": 1.0, "connected_at": 1.0, "answered_at": 2.0}, "CD"),
    ],
)
def test_termination(known: dict[str, object], code: str) -> None:
    assert termination(record(**known)) == code


def test_a_reason_in_words() -> None:
    assert reason(record()) == ""
    assert reason(record(cause=Cause.NO_SERVER)) == "no server is available"
    assert reason(record(cause=Cause.REQUEST_INVALID, why="no Host header")) == "no Host header"
    assert reason(record(aborted=True)) == "the client went away"
    failed = record(cause=Cause.CONNECT_FAILED, why="no server could be reached", unreachable="192.0.2.1:80: no TLS: x")
    assert reason(failed) == "no server could be reached; at last 192.0.2.1:80: no TLS: x"
    assert reason(record(unreachable="192.0.2.1:80: connection refused")) == ""  # another one was


def test_bytes_are_counted_by_direction() -> None:
    one = record()
    one.add(BYTES_IN, 3)
    one.add(BYTES_OUT, 4)
    one.add(BYTES_OUT, 5)
    assert (one.bytes_in, one.bytes_out) == (3, 9)


def test_attempts() -> None:
    one = record()
    one.attempt("web", "a", 0, 1.0)
    assert (one.server, one.retries, one.redispatched, one.chosen_at) == ("a", 0, False, 1.0)
    one.attempt("web", "a", 1, 2.0)
    assert (one.server, one.retries, one.redispatched, one.chosen_at) == ("a", 1, False, 1.0)
    one.attempt("web", "b", 2, 3.0)
    assert (one.server, one.retries, one.redispatched, one.chosen_at) == ("b", 2, True, 1.0)
    one.attempt("spare", None, 3, 4.0)
    assert (one.pool, one.server, one.retries) == ("spare", "b", 2)
