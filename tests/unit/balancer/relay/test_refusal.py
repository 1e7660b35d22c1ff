"""Requests that are refused."""

from balancer.causes import Cause
from balancer.relay.refusal import Refusal


def test_a_refusal_knows_when_to_ask_again() -> None:
    refusal = Refusal(429, Cause.TOO_MANY_REQUESTS, retry_after_s=3)
    assert (refusal.status, refusal.cause, refusal.retry_after_s) == (429, Cause.TOO_MANY_REQUESTS, 3)
    assert str(refusal) == "too many requests in too short a time"
