"""A client connection of a frontend that logs: what a plain one passes over is written into a record."""

from __future__ import annotations

import sys

from balancer.accesslog.journal import Journal
from balancer.accesslog.record import Record
from balancer.causes import Cause
from balancer.failures import ConnectFailed, DeadlineExpired, Disconnected, StreamFailure
from balancer.http1.errors import BadMessage
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead
from balancer.policies import Request
from balancer.pool import PoolState
from balancer.relay.http_client import Client
from balancer.relay.refusal import Refusal
from balancer.service import FrontendService
from balancer.slots import Counters
from balancer.streams import Stream
from balancer.tally import Tally, Tee
from balancer.upstream import Upstream


def cause_of(failure: Disconnected | DeadlineExpired) -> Cause:
    """Why a connection to a server has ended while a response came."""
    if isinstance(failure, DeadlineExpired):
        return Cause.RESPONSE_IDLE
    return Cause.SERVER_LEFT if failure.ours else Cause.RESPONSE_CUT


class LoggedClient(Client):
    """One record for each request, from its first byte on; brought to the journal by `finish` or, at last, `close`."""

    __slots__ = ("_began_at", "_journal", "record")

    def __init__(self, service: FrontendService, stream: Stream, journal: Journal) -> None:
        super().__init__(service, stream)
        self._journal = journal
        self._began_at: float | None = None
        """The first byte of a head that is not whole came."""
        self.record: Record | None = None

    def note_first_byte(self) -> None:
        self._began_at = self.stream.reactor.now

    def begin(self, head: RequestHead) -> None:
        journal, stream = self._journal, self.stream
        record = self._new_record()
        record.head_at = stream.reactor.now
        record.method, record.host = head.method, head.host
        record.target = head.target if journal.query else head.target.partition(b"?")[0]
        if stream.via == b"2.0":
            record.version = "2.0"
        elif not head.minor:
            record.version = "1.0"
        if journal.captures_requests:
            record.captured = journal.capture_request(head.fields)

    def _new_record(self) -> Record:
        now = self.stream.reactor.now if self._began_at is None else self._began_at
        self._began_at = None
        self.record = record = self._journal.begin(self.origin.address, self.stream.peername[1], now)
        if self.stream.tls is not None:
            record.tls = True
        return record

    def note_cookie(self, pool: PoolState, request: Request) -> None:
        if self.record is not None:
            self.record.cookie, self.record.cookie_server = pool.cookie_of(request)

    def note_marked(self, done: str) -> None:
        if self.record is not None:
            self.record.cookie_set = done

    def note_attempt(self, pool: str, server: str | None, tried: int) -> None:
        if self.record is not None:
            self.record.attempt(pool, server, tried, self.stream.reactor.now)

    def note_unreachable(self, failure: ConnectFailed) -> None:
        if self.record is not None:
            self.record.unreachable = str(failure)

    def note_queued(self, pool: str, server: str | None, ahead: int) -> None:
        if self.record is not None:
            self.record.note_queued(pool, server, ahead)

    def note_unqueued(self, *, served: bool) -> None:
        if self.record is not None:
            self.record.note_unqueued(self.stream.reactor.now, served=served)

    def note_connected(self) -> None:
        if self.record is not None:
            self.record.connected_at = self.stream.reactor.now

    def note_kept(self, upstream: Upstream) -> None:
        record = self.record
        if record is not None and record.connected_at is None:
            record.pool, record.server = upstream.pool, upstream.server
            if not record.had_to_wait:
                record.chosen_at = record.head_at
            record.connected_at = record.chosen_at

    def note_repeat(self) -> None:
        if self.record is not None:
            self.record.retries += 1
            self.record.connected_at = None

    def begin_answer(self, response: ResponseHead, bytes_in: int, bytes_out: int, upstream: Upstream) -> None:
        Client.begin_answer(self, response, bytes_in, bytes_out, upstream)
        record = self.record
        if record is not None:
            if record.connected_at is None:
                self.note_kept(upstream)
            record.answered_at = self.stream.reactor.now
            record.status = response.status
            record.bytes_in += bytes_in
            record.bytes_out += bytes_out
            if self._journal.captures_responses:
                record.captured_response = self._journal.capture_response(response.fields)

    def tally(self, server: Counters) -> Tally:
        return server if self.record is None else Tee(server, self.record)

    async def reply(self, status: int, data: bytes) -> None:
        record = self.record or self._new_record()
        record.status, record.local = status, True
        record.bytes_out += len(data)
        await super().reply(status, data)

    def note_end(self, failure: Exception) -> None:
        if self.record is None and self.stream.idle:
            return
        record = self.record or self._new_record()
        match failure:
            case Refusal():
                record.why = failure.why
            case BadMessage():
                record.why = failure.reason.text
            case Disconnected() | DeadlineExpired() if failure.stream is not self.stream:
                record.cause = cause_of(failure)
            case Disconnected():
                record.aborted = True

    def finish(self) -> None:
        record = self.record
        if record is not None:
            self.record = None
            record.cause = self.cause or record.cause
            record.request_id = self._request_id
            self._journal.add(record)

    def _explained(self, record: Record) -> bool:
        """It is known how the request has ended."""
        return bool(self.cause or record.cause or record.aborted or record.local or record.why)

    def close(self) -> None:
        record = self.record
        if record is None and self._began_at is not None:
            record = self._new_record()
            record.killed = self.service.stopping
            record.status, record.aborted = (-1, False) if record.killed else (400, True)
        elif record is not None and not self._explained(record):
            error = sys.exc_info()[1]
            record.bug = isinstance(error, Exception) and not isinstance(error, StreamFailure)
            record.killed = self.service.stopping  # cancelled; if not by the end of a drain, with its connection
            record.aborted = not record.killed
        self.finish()
        super().close()
