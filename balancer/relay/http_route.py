"""What becomes of one request where a frontend has more than one thing to do: choose a route, or answer at once.

An answer of ours leaves the connection open where the client's next request can be found: behind the body of this one,
which is read and thrown away if it is small, and if the client is sure to send it (RFC 9112 section 9.3).
"""

from __future__ import annotations

import re
from functools import lru_cache

from balancer import acme, answers
from balancer.answers import Answer
from balancer.causes import Cause
from balancer.counts import ANSWERED_HERE
from balancer.edits import Edits, rewritten
from balancer.failures import StreamFailure
from balancer.http1.chunked import ChunkedDecoder
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.fields import finder_of, has_underscore, without_underscores
from balancer.http1.framing import CHUNKED
from balancer.http1.replies import answer_here, refusal
from balancer.http1.request import RequestHead
from balancer.relay.http_client import Client, Refusal
from balancer.route import ACME_PATH
from balancer.service import PoolService

DISCARD_BYTES = 65_536
"""Of a body that nobody wants; a longer one costs more than a new connection."""

_ID = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}")
_find = lru_cache(maxsize=64)(finder_of)
_NO_HEAD = RequestHead(b"-", b"-", b"\n", 0, 0, b"", 1, b"-", 0, False)
"""In place of a head that could not be read, for placeholders."""


def decide(client: Client, head: RequestHead) -> tuple[RequestHead, PoolService | None]:
    """Where a request goes, and as what; None: it is to be answered here. Raises Refusal, BadMessage."""
    service = client.service
    table = service.routes
    client.begin_request(b"" if table.request_id is None else _given_id(client, head, table.request_id))
    if service.config.http.underscores != "pass":
        head = _without_underscores(head, reject=service.config.http.underscores == "reject")
    route = client.route = table.choose(head, client)
    if route is None:
        client.route = table.initial
        raise Refusal(503, Cause.NO_ROUTE)
    if route.rewrite is not None:
        head = rewritten(head, route.rewrite)
    return head, None if route.pool is None else service.pools[route.pool]


def _given_id(client: Client, head: RequestHead, name: bytes) -> bytes:
    """The id that a request came with, where its peer is one to be believed; empty: there is none."""
    if client.trusted is None:
        return b""
    values = [value.strip(b" \t") for value in _find(name)(head.fields)]
    return values[0] if len(values) == 1 and _ID.fullmatch(values[0]) else b""


def _without_underscores(head: RequestHead, *, reject: bool) -> RequestHead:
    if not has_underscore(head.fields):
        return head
    if reject:
        raise BadMessage(Reason.UNDERSCORE)
    return head._replace(fields=without_underscores(head.fields), passing=without_underscores(head.passing))


async def answer(client: Client, head: RequestHead) -> bool:
    """Answer a request that goes to no server. True when the client may send another. Raises BadMessage."""
    route = client.route
    if route is None or route.pool is not None:  # TRACE or OPTIONS with Max-Forwards: 0
        await client.reply(200, _edited(client, head, answer_here(head)))
        return False
    given = route.answer or _challenge(route.challenges, head)
    rest = _take_body(client, head)
    more = head.keep_alive and rest is not None and not client.service.draining
    data = given.render(client, head, keep_alive=more, edits=_edits(client))
    client.answering = True
    if not given.refuses:
        client.service.counters.add(ANSWERED_HERE)
    await client.reply(given.status, data)
    return more and (not rest or await _discard(client, rest))


def _challenge(directory: str | None, head: RequestHead) -> Answer:
    token = head.target.partition(b"?")[0].removeprefix(ACME_PATH)
    found = acme.key_authorization(directory or "", token)
    if found is None:
        return answers.deny(404)
    return answers.text(200, "application/octet-stream", found)


def _take_body(client: Client, head: RequestHead) -> int | ChunkedDecoder | None:
    """Throw away what is there of the body. What is still to come; 0: nothing; None: what cannot be waited for."""
    if not head.body:
        return 0
    if head.body == CHUNKED:
        decoder = ChunkedDecoder()
        decoder.feed(client.received)
        client.received = decoder.surplus
        return 0 if decoder.done else None if head.expect_continue else decoder
    rest = head.body - len(client.received)
    client.received = client.received[head.body :]
    if rest <= 0:
        return 0
    return None if head.expect_continue or rest > DISCARD_BYTES else rest


async def _discard(client: Client, rest: int | ChunkedDecoder) -> bool:
    """Read the rest of a body. False where it does not come, or is too long: then this is the end."""
    stream, allowed = client.stream, DISCARD_BYTES
    stream.deadline = stream.reactor.now + client.service.config.timeouts.header_s
    try:
        while data := await stream.receive():
            if isinstance(rest, int):
                client.received = data[rest:]
                rest = max(0, rest - len(data))
                done = not rest
            else:
                rest.feed(data)
                client.received = rest.surplus
                done = rest.done
            allowed -= len(data)
            if done:
                return True
            if allowed < 0:
                return False
    except (StreamFailure, BadMessage):
        pass  # it was answered already
    return False


def refused(client: Client, head: RequestHead | None, status: int, why: str, failure: Refusal | None = None) -> bytes:
    """The response to a request that came to nothing, or to bytes that are no request. It ends the connection."""
    if head is None:
        client.route = client.service.routes.initial
    if failure is not None and failure.shown is not None and head is not None:
        return failure.shown.render(client, head, keep_alive=False, edits=_edits(client))
    head_only = head is not None and head.method == b"HEAD"
    page = client.service.routes.pages.get(status)
    retry_after_s = None if failure is None else failure.retry_after_s
    data = refusal(status, why, head_only=head_only, retry_after_s=retry_after_s, page=page)
    return _edited(client, head or _NO_HEAD, data)


def _edited(client: Client, head: RequestHead, data: bytes) -> bytes:
    """A whole response of ours, as the route has it."""
    edits = _edits(client)
    if edits is None:
        return data
    first, mark, body = data.partition(b"\r\n\r\n")
    return edits.apply(first + mark, client, head) + body


def _edits(client: Client) -> Edits | None:
    """What is done to responses of the current route."""
    return None if client.route is None else client.route.response[client.scheme == "https"]


def edited_request(client: Client, head: RequestHead, data: bytes) -> bytes:
    """A head that goes to a server, as the route has it."""
    edits = client.route and client.route.request
    return edits.apply(data, client, head) if edits else data


def edited_response(client: Client, head: RequestHead, data: bytes, server: str) -> bytes:
    """The head of a server's response, as the route has it."""
    client.server = server
    edits = _edits(client)
    return edits.apply(data, client, head) if edits else data
