"""The way of one response to the client: head and what is there of the body in one call, then the rest of the body."""

from __future__ import annotations

from balancer.failures import DeadlineExpired, Disconnected
from balancer.http1.chunked import ChunkedDecoder, encode_chunk
from balancer.http1.errors import BadMessage
from balancer.http1.forward import forward_response
from balancer.http1.framing import CHUNKED
from balancer.http1.response import ResponseHead
from balancer.relay.http_body import BodyTransfer, Truncated, encoded
from balancer.relay.http_client import Refusal
from balancer.relay.http_request import Outgoing
from balancer.slots import BAD_RESPONSES, TIMEOUTS, Counters
from balancer.streams import Stream


async def relay_response(
    outgoing: Outgoing, response: ResponseHead, received: bytes, upstream: Stream, server: Counters
) -> tuple[bool, bool]:
    """Send a final response on. Returns whether the server's connection can be reused, and whether the client's can.

    `received` is what came after the head. A body of unknown end is sent in chunks to clients that know them: so its
    end shows, and its connection can be used again.
    """
    client, head, body = outgoing.client, outgoing.head, response.body
    chunked = body < 0 and head.minor > 0
    delimited = body >= 0 or chunked
    more = head.keep_alive and delimited and outgoing.complete and not client.service.draining
    first = forward_response(response, minor=head.minor, chunked=chunked, keep_alive=more)
    decoder = None
    if body >= 0:
        first += received[:body] if len(received) > body else received
    elif body == CHUNKED:
        decoder = ChunkedDecoder()
        data = _decode_first(decoder, received, server)
        first += encoded(data, decoder, trailers=head.trailers) if chunked else data
    elif received:
        first += encode_chunk(received) if chunked else received
    client.answering = True
    client.allow_idle()
    client.service.counters.add_exchange(response.status, len(outgoing.first), len(first))
    server.add_exchange(response.status, len(outgoing.first), len(first))
    await client.stream.send_all(first)
    if body >= 0 and len(received) >= body:
        return response.keep_alive and outgoing.complete and len(received) == body, more
    if decoder is None or not decoder.done:
        transfer = client.transfer(upstream, server)
        if not await _relay_rest(transfer, response, len(received), decoder, outgoing, server, chunked=chunked):
            if not delimited:
                client.stream.abort()  # only a reset can say that this is not the end of the body
            return False, False
    surplus = decoder is not None and decoder.surplus
    return response.keep_alive and outgoing.complete and not surplus, more


async def _relay_rest(
    transfer: BodyTransfer,
    response: ResponseHead,
    had: int,
    decoder: ChunkedDecoder | None,
    outgoing: Outgoing,
    server: Counters,
    *,
    chunked: bool,
) -> bool:
    """The body beyond the first `had` bytes. False where the server failed to bring it whole."""
    try:
        if decoder is not None:
            await transfer.chunks(decoder, encode=chunked, trailers=outgoing.head.trailers)
        elif response.body >= 0:
            await transfer.exactly(response.body - had)
        else:
            await transfer.until_close(encode=chunked)
    except BadMessage:
        server.add(BAD_RESPONSES)
        return False
    except (Truncated, Disconnected, DeadlineExpired) as failure:
        if failure.stream is outgoing.client.stream:
            raise
        server.add(TIMEOUTS if isinstance(failure, DeadlineExpired) else BAD_RESPONSES)
        return False
    return True


def _decode_first(decoder: ChunkedDecoder, received: bytes, server: Counters) -> bytes:
    try:
        return decoder.feed(received)
    except BadMessage as refused:
        server.add(BAD_RESPONSES)
        raise Refusal(502, f"the server sent an invalid response: {refused}") from None
