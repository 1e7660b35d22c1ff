"""The names of what goes wrong."""

from balancer.causes import Cause


def test_a_cause_has_a_label_and_words() -> None:
    assert Cause.BODY_TOO_SLOW.label == "body_too_slow"
    assert Cause.BODY_TOO_SLOW.value == "the request body came too slowly"


def test_no_two_causes_share_words_or_a_slot() -> None:
    assert len({cause.value for cause in Cause}) == len(Cause.__members__)
    assert sorted(cause.slot for cause in Cause) == list(range(len(Cause.__members__)))
    assert all(cause.value.isascii() for cause in Cause)
