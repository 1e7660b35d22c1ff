"""What happens to a request, told to whoever wants to know: an access log does (http_logged.py), else nobody."""

from __future__ import annotations

from balancer.failures import ConnectFailed
from balancer.http1.request import RequestHead
from balancer.policies import Request
from balancer.pool import PoolState
from balancer.upstream import Upstream


class Notes:
    """Does nothing, of all that can be told."""

    __slots__ = ()

    def note_first_byte(self) -> None:
        """The first byte of a head came, and not all of it."""

    def begin(self, head: RequestHead) -> None:
        """A request has come. Called where there is a log."""

    def note_cookie(self, pool: PoolState, request: Request) -> None:
        """The pool's servers, or those of one that stands in for it, are told to clients by a cookie."""

    def note_marked(self, done: str) -> None:
        """This was done about a cookie in the response: see CookieJar.done; empty: the pool has none."""

    def note_attempt(self, pool: str, server: str | None, tried: int) -> None:
        """A connection to a server is about to be made, after `tried` others; None: there is none to be had."""

    def note_unreachable(self, failure: ConnectFailed) -> None:
        """It could not be made."""

    def note_queued(self, pool: str, server: str | None, ahead: int) -> None:
        """All servers are busy, and it waits for one, as `ahead` others do; or for `server`, which it belongs to."""

    def note_unqueued(self, *, served: bool) -> None:
        """It waits no more: a server was chosen, or it was in vain."""

    def note_connected(self) -> None:
        """It has been made."""

    def note_kept(self, upstream: Upstream) -> None:
        """The connection that is used."""

    def note_repeat(self) -> None:
        """The request is about to be sent again."""

    def note_end(self, failure: Exception) -> None:
        """The connection ends with this."""

    def finish(self) -> None:
        """A request has been answered."""
