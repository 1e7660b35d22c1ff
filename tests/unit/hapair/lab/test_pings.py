"""What pings say of an outage."""

import struct

import pytest

from hapair.lab.pings import Ping, PingLog, answerers, first_answer, lost, outage_s

A, B = 201, 202


def ping(sent_ms: int, answered_ms: float | None = None, ttl: int = A) -> Ping:
    """Answered after a quarter of a millisecond unless said otherwise; `lost` has its own."""
    at = sent_ms + 0.25 if answered_ms is None else answered_ms
    return Ping(sent_ms / 1000, at / 1000, ttl)


def unanswered(sent_ms: int) -> Ping:
    return Ping(sent_ms / 1000, None, 0)


@pytest.mark.parametrize(
    ("pings", "expected_ms"),
    [
        pytest.param([ping(0), ping(1), ping(2)], 0.0, id="none"),
        pytest.param([ping(0), unanswered(1), ping(2)], 1.25, id="one-lost"),
        pytest.param([ping(0), unanswered(1), ping(2, 41), ping(3, 41.5), ping(41)], 40.0, id="the-rest-came-late"),
        pytest.param([unanswered(0), ping(1), unanswered(2), unanswered(3), ping(4)], 2.25, id="the-longest-counts"),
        pytest.param([ping(0), ping(1, 4.5), ping(2)], 0.0, id="slow-is-not-out"),
        pytest.param([ping(0, 0.25), unanswered(1)], None, id="no-end"),
        pytest.param([], 0.0, id="nothing-asked"),
    ],
)
def test_an_outage_lasts_until_any_answer_comes(pings: list[Ping], expected_ms: float | None) -> None:
    found = outage_s(pings)
    assert (None if found is None else round(found * 1000, 3)) == expected_ms


def test_late_is_not_lost() -> None:
    assert lost([ping(0, 800), unanswered(1), ping(2)]) == 1


def test_the_ttl_tells_who_answered_when() -> None:
    pings = [ping(0), ping(1), ping(2, ttl=B), unanswered(3), ping(4, ttl=B), ping(5)]
    assert first_answer(pings, B) == 0.00225
    assert first_answer(pings, 77) is None
    assert answerers(pings) == [A, B, A]


def test_records_may_come_in_pieces_and_answers_in_any_order() -> None:
    log = PingLog()
    records = [(0, 1.0, 0), (1, 1.001, 0), (2, 1.002, 0), (2, 1.0025, A), (0, 1.003, B), (0, 1.004, B)]
    data = b"".join(struct.pack("=IdB", *record) for record in records)
    for start in range(0, len(data), 5):
        log.take(data[start : start + 5])
    assert log.between(1.0, 1.002) == [Ping(1.0, 1.003, B), Ping(1.001, None, 0)]
    assert log.between(1.0005, 9.0) == [Ping(1.001, None, 0), Ping(1.002, 1.0025, A)]
    assert log.between(2.0, 9.0) == []


def test_the_newest_pings_leave_out_those_that_may_still_be_answered() -> None:
    log = PingLog()
    for number in range(10):
        log.take(struct.pack("=IdB", number, 1.0 + number / 1000, 0))
    assert [round(one.sent_at, 3) for one in log.last(2)] == [1.002, 1.003]
    assert len(log.last(50)) == 4
