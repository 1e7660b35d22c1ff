"""Who else changes nftables: its events, as far as they concern the kernel plane's table. The seam to them."""

import errno
import socket

import trio

from balancer.kernel.ruleset import TABLE
from vrrp.linux.nftables import (
    GROUP_NFTABLES,
    NETLINK_NETFILTER,
    NEW_GENERATION,
    REMOVALS,
    Notice,
    Table,
    notices_in,
)

_INET, _NETDEV = 1, 5
OURS = frozenset((Table(_INET, TABLE), Table(_NETDEV, TABLE)))
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_RECEIVE_BYTES = 1 << 18
_BUFFER_BYTES = 32 << 20
"""Each whole of the rules makes an event for each place of each table: some 370 KiB for each frontend and family."""
_SO_RCVBUFFORCE = 33


class TableEvents:
    """Counts the transactions that took something out of the table. Raises OSError where it cannot."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self._socket.bind((0, 0))
        self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, GROUP_NFTABLES)
        self._socket.setblocking(False)
        self._tally = Tally()

    async def wait(self) -> None:
        """Until somebody, ourselves perhaps, has changed anything."""
        await trio.lowlevel.wait_readable(self._socket)

    def removals(self) -> int:
        """How many transactions have taken something out of the table since the last call. Where events were lost, that
        is one, with the transaction that they were of."""
        lost = 0
        while True:
            try:
                datagram = self._socket.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                if lost:  # the end of a transaction whose beginning was heard may be among them
                    self._tally.forget()
                return lost + self._tally.take()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost += 1
                continue
            for notice in notices_in(datagram):
                self._tally.hear(notice)

    def close(self) -> None:
        self._socket.close()


class Tally:
    """Transactions, told apart by the generation that each ends with."""

    def __init__(self) -> None:
        self._removals = 0
        self._in_this_one = False

    def hear(self, notice: Notice) -> None:
        if notice.kind == NEW_GENERATION:
            self._removals += self._in_this_one
            self._in_this_one = False
        elif notice.kind in REMOVALS and notice.table in OURS:
            self._in_this_one = True

    def forget(self) -> None:
        """Nothing is known of the transaction that is going on."""
        self._in_this_one = False

    def take(self) -> int:
        taken, self._removals = self._removals, 0
        return taken
