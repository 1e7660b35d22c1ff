"""What waits to be told, and when it is tried again."""

from hapair.notifications.outbox import Outbox
from tests.unit.hapair.events.samples import event

ONE, TWO, THREE = event(1), event(2), event(3)


def test_in_order_and_counted() -> None:
    outbox = Outbox()
    for one in (ONE, TWO):
        outbox.put(one, 0.0)
    assert outbox.first(1.0) is ONE
    outbox.told(ONE)
    assert outbox.first(1.0) is TWO
    outbox.told(TWO)
    assert outbox.first(1.0) is None
    assert (outbox.sent, outbox.failed, outbox.dropped, len(outbox)) == (2, 0, 0, 0)


def test_pauses_grow_and_begin_anew_when_it_goes_well() -> None:
    outbox = Outbox()
    outbox.put(ONE, 0.0)
    assert [outbox.failed_s() for _ in range(11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert outbox.failed == 11
    outbox.told(ONE)
    assert outbox.failed_s() == 1.0


def test_where_too_many_wait_the_oldest_is_dropped_and_counted() -> None:
    outbox = Outbox(limit=2)
    for one in (ONE, TWO, THREE):
        outbox.put(one, 0.0)
    assert (outbox.first(0.0), outbox.dropped, len(outbox)) == (TWO, 1, 2)
    outbox.told(ONE)  # it was being told while it was dropped
    assert (outbox.first(0.0), outbox.sent, len(outbox)) == (TWO, 1, 2)


def test_news_that_are_too_old_are_not_told() -> None:
    outbox = Outbox()
    outbox.put(ONE, 0.0)
    outbox.put(TWO, 1000.0)
    assert outbox.first(3600.0) is ONE
    assert (outbox.first(3600.5), outbox.dropped) == (TWO, 1)
    assert (outbox.first(9000.0), outbox.dropped) == (None, 2)


def test_what_is_refused_is_not_tried_again() -> None:
    outbox = Outbox()
    outbox.put(ONE, 0.0)
    outbox.refused(ONE)
    assert (outbox.first(0.0), outbox.dropped, outbox.failed) == (None, 1, 1)
