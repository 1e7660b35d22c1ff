"""HTTP/1.1 for any input: a value or the one error, the same for every split, and the same as h11's for good input."""

from itertools import pairwise

import h11
from hypothesis import given
from hypothesis import strategies as st

from balancer.config import HttpLimits
from balancer.http1.chunked import ChunkedDecoder, encode_chunk
from balancer.http1.errors import BadMessage
from balancer.http1.forward import RequestForwarder
from balancer.http1.forwarded import Origin
from balancer.http1.request import RequestHead, parse_request
from balancer.http1.response import parse_response

LIMITS = HttpLimits()
FORWARDER = RequestForwarder(Origin("192.0.2.1", "http", 80), b"here")

TOKENS = st.text("!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz", min_size=1, max_size=12).map(str.encode)
VALUES = st.binary(max_size=30).map(lambda raw: bytes(b for b in raw if b >= 32 and b != 127))
TARGETS = st.text("abcXYZ012/?&=%._~-", max_size=30).map(lambda text: b"/" + text.encode())
OTHER_FIELDS = st.lists(st.tuples(TOKENS.map(lambda name: b"X-" + name), VALUES), max_size=5)
BODIES = st.binary(max_size=200)


@given(st.binary(max_size=300))
def test_any_bytes_as_a_request(data: bytes) -> None:
    try:
        head = parse_request(data, LIMITS)
    except BadMessage:
        return
    assert head is None or head.size <= len(data)


@given(st.binary(max_size=300))
def test_any_bytes_as_a_response(data: bytes) -> None:
    try:
        parse_response(b"HTTP/1.1 200 OK\r\n" + data, b"GET")
    except BadMessage:
        return


@given(st.binary(max_size=300), st.integers(1, 300))
def test_any_bytes_as_a_chunked_body_for_any_split(data: bytes, at: int) -> None:
    assert decoded(data) == decoded(data[:at], data[at:])


def decoded(*pieces: bytes) -> object:
    decoder = ChunkedDecoder()
    body = b""
    after = b""
    try:
        for piece in pieces:
            if decoder.done:
                after += piece
            else:
                body += decoder.feed(piece)
    except BadMessage as bad:
        return bad.reason
    return body, decoder.done, decoder.surplus + after


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.lists(st.integers(0, 400), max_size=5))
def test_what_was_encoded_is_decoded(chunks: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(encode_chunk, chunks)) + b"0\r\n\r\n"
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    decoder = ChunkedDecoder()
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert b"".join(decoder.feed(piece) for piece in pieces if not decoder.done) == b"".join(chunks)
    assert decoder.done


@given(TOKENS, TARGETS, OTHER_FIELDS, BODIES)
def test_good_requests_mean_what_h11_says(
    method: bytes, target: bytes, fields: list[tuple[bytes, bytes]], body: bytes
) -> None:
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    data = b"%b %b HTTP/1.1\r\nHost: example.org\r\nContent-Length: %d\r\n%b\r\n%b" % (
        method + b"X",
        target,
        len(body),
        lines,
        body,
    )
    head = parse_request(data, LIMITS)
    assert isinstance(head, RequestHead)
    assert (head.method, head.target, head.body) == (method + b"X", target, len(body))
    theirs = h11_request(FORWARDER.forward(head) + data[head.size :])
    assert (theirs.method, theirs.target) == (head.method, target)
    sent = [(name.lower(), value.strip(b" \t")) for name, value in fields]
    assert [field for field in theirs.headers if field[0].startswith(b"x-") and field[0] not in ADDED] == sent


ADDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port")


def h11_request(data: bytes) -> h11.Request:
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    event = server.next_event()
    assert isinstance(event, h11.Request)
    return event


@given(st.integers(200, 599), OTHER_FIELDS, BODIES)
def test_good_responses_mean_what_h11_says(status: int, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    data = b"HTTP/1.1 %d Fine\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), lines, body)
    head = parse_response(data, b"GET")
    assert head is not None
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    client.receive_data(data)
    response = client.next_event()
    assert isinstance(response, h11.Response)
    assert head.status == response.status_code
    assert head.body == (0 if status in (204, 304) else len(body))
