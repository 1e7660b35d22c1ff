"""The way of one response to the client: head and what is there of the body in one call, then the rest of the body."""

from __future__ import annotations

from balancer.causes import Cause
from balancer.counts import SERVER_ABORTS, TOTAL_US_MAX
from balancer.failures import DeadlineExpired, Disconnected
from balancer.gzip_stream import GzipStream
from balancer.http1.chunked import LAST_CHUNK, ChunkedDecoder, encode_chunk
from balancer.http1.errors import BadMessage
from balancer.http1.forward import forward_response
from balancer.http1.framing import CHUNKED
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead
from balancer.relay.http_attempt import invalid
from balancer.relay.http_body import Truncated, encoded
from balancer.relay.http_request import Outgoing
from balancer.relay.http_route import edited_response
from balancer.slots import BAD_RESPONSES, TIMEOUTS, TOTAL_US
from balancer.upstream import Upstream


def whole_response(outgoing: Outgoing, response: ResponseHead, body: bytes, upstream: Upstream) -> tuple[bool, bytes]:
    """For a response whose body is wholly here: whether the client may send another request, and what to send to it."""
    client, head = outgoing.client, outgoing.head
    complete = outgoing.complete and not client.service.draining
    more = complete and head.keep_alive
    data = forward_response(response, minor=head.minor, chunked=False, keep_alive=more)
    if client.route is not None:
        data = edited_response(client, head, data, upstream.server)
    data += body
    client.begin_answer(response, len(outgoing.first), len(data), upstream)
    upstream.reusable = complete and response.keep_alive
    return more, data


async def relay_response(
    outgoing: Outgoing, response: ResponseHead, received: bytes, upstream: Upstream, gzip: GzipStream | None = None
) -> bool:
    """Send any final response on. `received` is what came after its head. True when the client may send another.

    A body of unknown end is sent in chunks to clients that know them: so its end shows, and the connection lives on.
    With `gzip`, which the head has to speak of already, every body is such a one.
    """
    client, head, body = outgoing.client, outgoing.head, response.body
    chunked = (body < 0 or gzip is not None) and head.minor > 0
    delimited = (body >= 0 and gzip is None) or chunked
    more = head.keep_alive and delimited and outgoing.complete and not client.service.draining
    first = forward_response(response, minor=head.minor, chunked=chunked, keep_alive=more)
    if client.route is not None:
        first = edited_response(client, head, first, upstream.server)
    decoder = None
    if body == CHUNKED:
        decoder = ChunkedDecoder()
        data = _decode_first(decoder, received, upstream)
    else:
        data = received[:body] if body >= 0 else received
    if gzip is not None:
        data = await gzip.feed(data, flush=True)
    first += _framed(data, None if gzip is not None else decoder, head, chunked=chunked)
    client.begin_answer(response, len(outgoing.first), len(first), upstream)
    reactor = client.stream.reactor
    began_at = reactor.now
    await client.send_all(first)
    if not await _relay_rest(outgoing, response, len(received), decoder, upstream, gzip, chunked=chunked):
        if not delimited:
            client.stream.abort()  # only a reset can say that this is not the end of the body
        return False
    upstream.counters.add(TOTAL_US, int((reactor.now - began_at) * 1e6))
    upstream.counters.raise_to(TOTAL_US_MAX, int((reactor.now - client.began_at) * 1e6))
    surplus = decoder.surplus if decoder is not None else len(received) > body
    upstream.reusable = response.keep_alive and outgoing.complete and not surplus and not client.service.draining
    return more


async def _relay_rest(
    outgoing: Outgoing,
    response: ResponseHead,
    had: int,
    decoder: ChunkedDecoder | None,
    upstream: Upstream,
    gzip: GzipStream | None,
    *,
    chunked: bool,
) -> bool:
    """The body beyond the first `had` bytes. False where the server failed to bring it whole."""
    transfer = outgoing.client.transfer(upstream.stream, upstream.counters)
    encode = chunked and gzip is None
    if gzip is not None:
        transfer.compress(gzip, encode=chunked)
    try:
        if decoder is not None:
            await transfer.chunks(decoder, encode=encode, trailers=outgoing.head.trailers)
        elif response.body >= 0:
            await transfer.exactly(max(0, response.body - had))
        else:
            await transfer.until_close(encode=encode)
        if gzip is not None:
            end = gzip.finish()
            transfer.count(len(end))
            await outgoing.client.send_all(encode_chunk(end) + LAST_CHUNK if chunked else end)
    except BadMessage:
        upstream.counters.add(BAD_RESPONSES)
        outgoing.client.blame(Cause.RESPONSE_INVALID)
        return False
    except (Truncated, Disconnected, DeadlineExpired) as failure:
        if failure.stream is outgoing.client.stream:
            raise
        late = isinstance(failure, DeadlineExpired)
        upstream.counters.add(TIMEOUTS if late else BAD_RESPONSES)
        upstream.counters.add(SERVER_ABORTS)
        ours = isinstance(failure, Disconnected) and failure.ours
        outgoing.client.blame(Cause.RESPONSE_IDLE if late else Cause.SERVER_LEFT if ours else Cause.RESPONSE_CUT)
        return False
    return True


def _framed(data: bytes, decoder: ChunkedDecoder | None, head: RequestHead, *, chunked: bool) -> bytes:
    """The first bytes of a body, as they are sent."""
    if not chunked:
        return data
    if decoder is not None:
        return encoded(data, decoder, trailers=head.trailers)
    return encode_chunk(data) if data else b""


def _decode_first(decoder: ChunkedDecoder, received: bytes, upstream: Upstream) -> bytes:
    try:
        return decoder.feed(received)
    except BadMessage as bad:
        bad.data = received
        raise invalid(bad, upstream) from None
