"""Silence of the other end counts; one's own does not."""

from hapair.heartbeat import Silence


def test_silence_up_to_the_limit_is_borne() -> None:
    silence = Silence(heard_at=100.0, looked_at=100.0)
    for now in (100.25, 100.5, 101.0, 101.5, 102.0):
        assert not silence.is_too_long(now)
    assert silence.is_too_long(102.25)


def test_a_message_ends_it() -> None:
    silence = Silence(heard_at=100.0, looked_at=100.0)
    assert not silence.is_too_long(101.0)
    silence.heard(101.5)
    assert not silence.is_too_long(101.75)
    assert not silence.is_too_long(102.5)
    assert not silence.is_too_long(103.5)
    assert silence.is_too_long(103.75)


def test_a_node_that_was_frozen_as_a_whole_does_not_find_the_others_dead() -> None:
    silence = Silence(heard_at=100.0, looked_at=100.0)
    assert not silence.is_too_long(160.0)
    assert not silence.is_too_long(160.25)
    assert not silence.is_too_long(161.25)
    assert not silence.is_too_long(162.0)
    assert silence.is_too_long(162.25)


def test_being_a_little_late_oneself_excuses_nobody() -> None:
    silence = Silence(heard_at=100.0, looked_at=100.0)
    assert not silence.is_too_long(101.0)
    assert not silence.is_too_long(102.0)
    assert silence.is_too_long(103.0)


def test_the_limit_can_be_another() -> None:
    silence = Silence(heard_at=0.0, looked_at=0.0, limit_s=0.5)
    assert not silence.is_too_long(0.5)
    assert silence.is_too_long(0.75)
