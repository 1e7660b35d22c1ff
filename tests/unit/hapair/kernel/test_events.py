"""Transactions that took something out of the table, told apart by their ends."""

import errno
import struct

import pytest

from hapair.kernel import events as module
from hapair.kernel.events import Tally
from vrrp.linux.nftables import DELETE_TABLE, NEW_ELEMENTS, NEW_GENERATION, NEW_RULE, Notice, Table

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


def message(kind: int, family: int = 1) -> bytes:
    """Of nfnetlink, about the table `hapair`, as the kernel sends it."""
    body = struct.pack("!BBH", family, 0, 0) + struct.pack("=HH", 11, 1) + b"hapair\0\0"
    return struct.pack("=IHHII", 16 + len(body), 10 << 8 | kind, 0, 0, 7) + body


class FakeSocket:
    """What the kernel says, datagram by datagram; an error where it says that some were lost."""

    def __init__(self) -> None:
        self.said: list[bytes | None] = []

    def setsockopt(self, *_: int) -> None: ...
    def bind(self, _: tuple[int, int]) -> None: ...
    def setblocking(self, *_: bool) -> None: ...
    def recv(self, _: int) -> bytes:
        if not self.said:
            raise BlockingIOError
        datagram = self.said.pop(0)
        if datagram is None:
            raise OSError(errno.ENOBUFS, "lost")
        return datagram


def test_of_a_transaction_whose_end_was_lost_no_later_end_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = FakeSocket()
    monkeypatch.setattr(module.socket, "socket", lambda *_: kernel)
    events = module.TableEvents()
    kernel.said = [None, message(DELETE_TABLE) + message(NEW_RULE), message(NEW_RULE)]
    assert events.removals() == 1  # whatever was lost
    kernel.said = [message(NEW_ELEMENTS) + message(NEW_GENERATION, 0)]
    assert events.removals() == 0
    kernel.said = [message(DELETE_TABLE, 5), message(NEW_GENERATION, 0)]
    assert events.removals() == 1
