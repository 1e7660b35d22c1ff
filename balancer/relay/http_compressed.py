"""Responses that may be compressed on their way to the client, where a frontend or a pool says so.

What is whole when it comes is compressed whole and has a length. Everything else is compressed as it comes, in chunks
(or, for HTTP/1.0, to the end of the connection), and whenever the server makes us wait, the client is given all that
there is: an event stream goes on event by event.
"""

from __future__ import annotations

from balancer.counts import GZIP_BYPASSED, GZIP_IN, GZIP_OUT, GZIPPED
from balancer.gzip_stream import Compressor, GzipStream
from balancer.http1.compression import Plan, compressed, varied
from balancer.http1.response import ResponseHead
from balancer.relay.http_request import Outgoing
from balancer.relay.http_response import relay_response, whole_response
from balancer.upstream import Upstream


async def relay_perhaps_compressed(
    outgoing: Outgoing, response: ResponseHead, received: bytes, upstream: Upstream, compressor: Compressor
) -> bool:
    """As `relay_response`, compressed where that is to be."""
    plan = compressor.chooser.plan(outgoing.head, response)
    if plan is Plan.AS_IS:
        return await relay_response(outgoing, response, received, upstream)
    counted = outgoing.client.service.counters, upstream.counters
    if plan is Plan.VARY or not compressor.has_room:
        for counters in counted if plan is not Plan.VARY else ():
            counters.add(GZIP_BYPASSED, max(response.body, len(received)))
        return await relay_response(outgoing, varied(response), received, upstream)
    gzip = GzipStream(upstream.stream.reactor, compressor)
    try:
        if response.body == len(received):
            return await _whole(outgoing, response, received, upstream, gzip)
        return await relay_response(outgoing, compressed(response, None), received, upstream, gzip)
    finally:
        gzip.close()
        for counters in counted:
            counters.add(GZIP_IN, gzip.bytes_in)
            counters.add(GZIP_OUT, gzip.bytes_out)
            counters.add(GZIPPED, int(gzip.finished))


async def _whole(outgoing: Outgoing, response: ResponseHead, body: bytes, upstream: Upstream, gzip: GzipStream) -> bool:
    data = await gzip.feed(body, flush=False) + gzip.finish()
    if len(data) < len(body):
        response, body = compressed(response, len(data)), data
    else:
        response = varied(response)
    more, data = whole_response(outgoing, response, body, upstream)
    await outgoing.client.send_all(data)
    return more
