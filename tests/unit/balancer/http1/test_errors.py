"""The one error type."""

from balancer.http1.errors import BadMessage, Reason
from balancer.http1.replies import PHRASES


def test_a_bad_message_says_why_and_what_to_answer() -> None:
    bad = BadMessage(Reason.CODING_UNKNOWN)
    assert (bad.reason, bad.status, str(bad)) == (Reason.CODING_UNKNOWN, 501, "Transfer-Encoding is not chunked")


def test_every_reason_has_a_status_that_can_be_answered_and_a_text_of_its_own() -> None:
    assert {reason.status for reason in Reason} == {400, 405, 413, 414, 417, 431, 501, 505}
    assert all(reason.status in PHRASES and reason.text.isascii() for reason in Reason)
    assert len({reason.text for reason in Reason}) == len(list(Reason))
