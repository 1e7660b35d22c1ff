"""Mode http: requests of one client connection, one after the other, each to a server of its own.

    serve       bytes -> a request head, or a refusal
    decide      a request head -> a pool, or an answer of ours (http_route.py)
    exchange    the request to a server, the response to the client (http_exchange.py)
    _refuse     an error of ours, and the end of the connection

A client that sends several requests at once has them served in turn; those that wait stay unparsed.
"""

from __future__ import annotations

from balancer.causes import Cause
from balancer.config_limits import HttpLimits
from balancer.failures import DeadlineExpired, Disconnected, StreamFailure
from balancer.http1.errors import BadMessage
from balancer.http1.request import RequestHead, parse_request
from balancer.relay.http_client import Client, Refusal
from balancer.relay.http_exchange import exchange
from balancer.relay.http_guard import Guard, RequestOverdue
from balancer.relay.http_logged import LoggedClient
from balancer.relay.http_route import answer, decide, refused
from balancer.service import FrontendService
from balancer.slots import BAD_REQUESTS, FAILED, TIMEOUTS
from balancer.streams import Stream
from balancer.task import PARK

_TOO_LARGE = frozenset((413, 414, 431))
LINGER_S = 2.0
LINGER_BYTES = 1 << 20


async def serve(service: FrontendService, downstream: Stream, received: bytes = b"") -> None:
    """Serve one client connection to its end. `received` is what was read from it already."""
    client = _client_of(service, downstream)
    client.received = received
    downstream.interrupt_if_lost(service.reactor.current)
    reactor, head, epoch = service.reactor, None, service.epoch
    limits, guard, trusts, logs = _ways(client)
    # Who connects and says nothing is as slow as who says it slowly.
    keep_alive_s, wait_s = service.config.timeouts.keep_alive_s, service.config.timeouts.header_s
    try:
        while True:
            buffer = client.received
            if not buffer:
                if service.stopping:
                    return
                downstream.deadline = reactor.now + wait_s
                downstream.idle = True
                while (data := downstream.receive_or_expect()) is None:
                    await PARK
                if service.epoch is not epoch:  # configured otherwise since
                    epoch, client = service.epoch, _successor(client)
                    limits, guard, trusts, logs = _ways(client)
                    keep_alive_s = service.config.timeouts.keep_alive_s
                buffer = data
                downstream.idle = False
                if not buffer:
                    return
            head = parse_request(buffer, limits)
            if head is None:
                head, buffer = await _later_head(client, buffer)
                if head is None:
                    return
            client.received = buffer[head.size :]
            if trusts:
                client.take_over(head)
            if logs:
                client.begin(head)
            wait_s = keep_alive_s
            if guard is not None:
                guard.begin(head, client.origin.address)
            pool = service.only_pool
            if pool is None:
                head, pool = decide(client, head)
            if pool is None or head.max_forwards == 0:
                more = await answer(client, head)
            else:
                more = await exchange(client, head, pool)
            if logs:
                client.finish()
            if not more:
                await _end(client, head)
                return
            client.answering = False
            head = None
            if guard is not None:
                guard.end()
    except (BadMessage, Refusal, RequestOverdue, DeadlineExpired, Disconnected) as failure:
        await _end_badly(client, head, failure, buffer)
    finally:
        client.close()


def _client_of(service: FrontendService, stream: Stream) -> Client:
    return Client(service, stream) if service.log is None else LoggedClient(service, stream, service.log)


def _ways(client: Client) -> tuple[HttpLimits, Guard | None, bool, bool]:
    """What is done with each request of a client: the limits of heads, limits of clients, whom it trusts, a log."""
    service = client.service
    return service.config.http, client.guard, client.trusted is not None, service.log is not None


def _successor(client: Client) -> Client:
    """The same client, between two requests, as its frontend is configured now."""
    client.close()
    return _client_of(client.service, client.stream)


async def _end_badly(client: Client, head: RequestHead | None, failure: Exception, buffer: bytes) -> None:
    """What becomes of a connection whose request, or whose peer, failed. `buffer` is what it came with."""
    stream = client.stream
    client.note_end(failure)
    match failure:
        case BadMessage():
            client.service.counters.add(BAD_REQUESTS)
            client.keep_evidence("request", failure, buffer)
            client.blame(Cause.REQUEST_TOO_LARGE if failure.status in _TOO_LARGE else Cause.REQUEST_INVALID)
            await _refuse(client, head, failure.status, failure.reason.text)
        case Refusal():
            if failure.cause is not None:
                client.blame(failure.cause)
            if failure.invalid is not None:
                bad, pool, server = failure.invalid
                client.keep_evidence("response", bad, b"", pool, server)
            await _refuse(client, head, failure.status, failure.why, failure)
        case RequestOverdue():
            await _overdue(client, head)
        case DeadlineExpired():
            if not stream.idle:
                await _time_out(client, head, failure)
        case Disconnected():
            if not (stream.idle and stream.closed):  # while draining: idle connections are just closed
                raise failure


async def _later_head(client: Client, buffer: bytes) -> tuple[RequestHead | None, bytes]:
    """A head that came in pieces, and all bytes received; None when the client gave up.

    The deadline is for all of it, not for each byte: else a byte now and then would hold the connection for ever.
    """
    stream, config = client.stream, client.service.config
    client.note_first_byte()
    stream.deadline = stream.reactor.now + config.timeouts.header_s
    while more := await stream.receive():
        buffer += more
        try:
            head = parse_request(buffer, config.http)
        except BadMessage as bad:
            bad.data = buffer
            raise
        if head is not None:
            return head, buffer
    return None, buffer


async def _time_out(client: Client, head: RequestHead | None, late: DeadlineExpired) -> None:
    client.service.counters.add(TIMEOUTS)
    if late.stream is not client.stream:
        raise late
    client.blame(Cause.HEADER_TIMEOUT if head is None else client.lateness(sending=client.answering))
    await _refuse(client, head, 408, "the request did not come in time")


async def _overdue(client: Client, head: RequestHead | None) -> None:
    """The whole request took too long: 408 where the client had not sent all of it, else 504."""
    client.service.counters.add(TIMEOUTS)
    client.blame(Cause.REQUEST_TIMEOUT)
    await _refuse(client, head, 504 if client.uploaded else 408, Cause.REQUEST_TIMEOUT.value)


async def _refuse(
    client: Client, head: RequestHead | None, status: int, why: str, refusal: Refusal | None = None
) -> None:
    """Tell the client, if there is still a way to, and end the connection."""
    client.calm()
    if client.answering:
        client.stream.abort()
        return
    if status == 503:
        client.service.counters.add(FAILED)
    if refusal is not None and refusal.shown is not None:
        status = refusal.shown.status
    await client.reply(status, refused(client, head, status, why, refusal))
    await _linger(client)


async def _end(client: Client, head: RequestHead) -> None:
    """The last response was sent. Close at once only where the client expects it and has nothing more to say."""
    if head.keep_alive or head.body or client.received or not client.stream.quiet:
        await _linger(client)


async def _linger(client: Client) -> None:
    client.calm()
    client.finish()
    await linger(client.stream)


async def linger(stream: Stream) -> None:
    """Let the client read the response: closing with bytes unread would reset the connection and take it away."""
    stream.shutdown()
    stream.deadline = stream.reactor.now + LINGER_S
    discarded = 0
    try:
        while discarded < LINGER_BYTES and (data := await stream.receive()):
            discarded += len(data)
    except StreamFailure:
        pass  # it has been told all that there was to tell
