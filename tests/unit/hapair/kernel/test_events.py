"""Transactions that took something out of the table, told apart by their ends."""

from hapair.kernel.events import Tally
from vrrp.linux.nftables import DELETE_TABLE, NEW_GENERATION, NEW_RULE, Notice, Table

OURS, OTHERS = Table(1, "hapair"), Table(1, "filter")
END = Notice(NEW_GENERATION, None, 7)


def removals(*notices: Notice) -> int:
    tally = Tally()
    for notice in notices:
        tally.hear(notice)
    return tally.take()


def test_each_transaction_counts_once() -> None:
    gone = Notice(DELETE_TABLE, OURS, 7)
    assert removals(gone, Notice(DELETE_TABLE, Table(5, "hapair"), 7), END) == 1
    assert removals(gone, END, gone, END) == 2
    assert removals(gone) == 0


def test_what_is_not_ours_or_no_removal_does_not_count() -> None:
    assert removals(Notice(DELETE_TABLE, OTHERS, 7), END, Notice(NEW_RULE, OURS, 7), END) == 0


def test_what_is_taken_does_not_come_again() -> None:
    tally = Tally()
    for notice in (Notice(DELETE_TABLE, OURS, 7), END):
        tally.hear(notice)
    assert (tally.take(), tally.take()) == (1, 0)
