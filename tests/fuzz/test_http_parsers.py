"""Any bytes give a value or the one error; what is accepted means the same to another parser. Seeded; short here.

HAPAIR_FUZZ_ROUNDS=1000000 runs it for long. A crash becomes a file of tests/golden/http/.
"""

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import h11
import httptools
import pytest

from balancer.config import HttpLimits
from balancer.http1.chunked import ChunkedDecoder, encode_chunk
from balancer.http1.errors import BadMessage
from balancer.http1.forward import RequestForwarder, forward_response
from balancer.http1.forwarded import Origin
from balancer.http1.framing import CHUNKED
from balancer.http1.request import RequestHead, parse_request
from balancer.http1.response import parse_response

ROUNDS = int(os.environ.get("HAPAIR_FUZZ_ROUNDS", "3000"))
LIMITS, BARE_LF = HttpLimits(), HttpLimits(bare_lf=True)
FORWARDER = RequestForwarder(Origin("192.0.2.1", "http", 80), b"here")
SMUGGLING = sorted((Path(__file__).parent.parent / "golden" / "http" / "smuggling").glob("*.http"))

BAD_SEEDS = tuple(path.read_bytes() for path in SMUGGLING)
GOOD_SEEDS = (
    b"GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"GET http://b/x HTTP/1.1\r\nHost: a\r\nConnection: close, x-y\r\nX-Y: 1\r\nTE: trailers\r\n\r\n",
    b"OPTIONS * HTTP/1.0\r\nMax-Forwards: 3\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [::1]:80\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nExpect: 100-continue\r\n\r\n",
)
RESPONSE_SEEDS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
    b"HTTP/1.0 404 Not Found\r\nX: y\r\n\r\n",
    b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\na\r\n0\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
)
MORSELS = (
    b"\r\n", b"\n", b"\r", b"\x00", b"\t", b" ", b":", b",", b";", b"_", b"-", b"0", b"+", b"0x", b"\xa0", b"\x85",
    b"\x0b", b"chunked", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n", b"HTTP/1.1",
    b"0\r\n\r\n", b"Connection: content-length, host\r\n", b"Expect: 100-continue\r\n", b"http://c", b"#", b"*",
)  # fmt: skip


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A few bytes put in, taken out, doubled or changed."""
    for _ in range(rng.randint(1, 4)):
        at, to = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
        match rng.randint(0, 4):
            case 0:
                data = data[:at] + rng.choice(MORSELS) + data[at:]
            case 1:
                data = data[:at] + data[min(to, at + 6) :]
            case 2:
                data = data[:at] + data[at : at + 40] + data[at:]
            case 3:
                data = data[:at] + bytes((rng.randrange(256),)) + data[at + 1 :]
            case 4:
                data = data[:at].swapcase() + data[at:]
    return data


def bared(rng: random.Random, data: bytes) -> bytes:
    """Some lines, or all, end with LF alone: those of heads, and of chunks and trailers, where nobody may take them."""
    often = rng.choice((0.1, 0.5, 1.0))
    pieces = data.split(b"\r\n")
    ends = [b"\n" if rng.random() < often else b"\r\n" for _ in pieces[1:]]
    return b"".join(piece + end for piece, end in zip(pieces, [*ends, b""], strict=True))


def requests_in(data: bytes, limits: HttpLimits = LIMITS) -> list[tuple[RequestHead, bytes]]:
    """The requests that the relay would take from these bytes, each with its body, up to an error or the end."""
    found = []
    try:
        while data and (head := parse_request(data, limits)) is not None:
            data = data[head.size :]
            if head.body == CHUNKED:
                decoder = ChunkedDecoder()
                body = decoder.feed(data)
                if not decoder.done:
                    break
                data = decoder.surplus
            else:
                body, data = data[: head.body], data[head.body :]
                if len(body) < head.body:
                    break
            found.append((head, body))
            if not head.keep_alive:
                break
    except BadMessage:
        pass
    return found


def forwarded(head: RequestHead, body: bytes) -> bytes:
    if head.body == CHUNKED:
        body = (encode_chunk(body) if body else b"") + b"0\r\n\r\n"
    return FORWARDER.forward(head) + body


def heard_by_h11(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Method, target and body of each request, as a server built on h11 understands it."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    while True:
        event = server.next_event()
        if isinstance(event, h11.Request):
            method, target, body = event.method, event.target, b""
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            yield method, target, body
            server.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            server.send(h11.EndOfMessage())
        elif event is h11.PAUSED and server.our_state is h11.DONE:
            server.start_next_cycle()
        else:
            return


class HeardByHttptools:
    """The same, by the parser of Node.js (llhttp). It knows a list of methods and no others."""

    METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH"))

    def __init__(self, data: bytes) -> None:
        self.heard: list[tuple[bytes, bytes, bytes]] = []
        self._target = self._body = b""
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._target = self._body = b""

    def on_url(self, data: bytes) -> None:
        self._target += data

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self.heard.append((self._parser.get_method(), self._target, self._body))


@pytest.mark.parametrize("seed", range(8))
def test_a_server_hears_exactly_the_requests_that_were_understood_here(seed: int) -> None:
    rng = random.Random(seed)
    accepted = 0
    for _ in range(ROUNDS // 8):
        data = mutated(rng, rng.choice(GOOD_SEEDS) + rng.choice(GOOD_SEEDS + BAD_SEEDS))
        understood = [(head, body) for head, body in requests_in(data) if not head.upgrade]
        sent = b"".join(forwarded(head, body) for head, body in understood)
        meant = [(head.method, head.target, body) for head, body in understood]
        assert list(heard_by_h11(sent)) == meant, data
        if {method for method, _, _ in meant} <= HeardByHttptools.METHODS:
            assert HeardByHttptools(sent).heard == meant, data
        accepted += len(understood)
    assert accepted > ROUNDS // 80


@pytest.mark.parametrize("seed", range(4))
def test_a_head_whose_lines_end_with_lf_alone_means_the_same_to_h11(seed: int) -> None:
    rng = random.Random(seed)
    compared = only_so = 0
    for _ in range(ROUNDS // 4):
        data = bared(rng, rng.choice(GOOD_SEEDS) + rng.choice(GOOD_SEEDS + BAD_SEEDS))
        data = mutated(rng, data) if rng.random() < 0.5 else data
        understood = requests_in(data, BARE_LF)
        heard = []
        with suppress(h11.RemoteProtocolError):
            heard += heard_by_h11(data)
        for (head, body), (method, target, other_body) in zip(understood, heard, strict=False):
            assert (head.method, body) == (method, other_body), data
            assert head.target == target or target[:1] not in b"/*", data
            compared += 1
        only_so += len(understood) - len(requests_in(data))
        assert requests_in(data) == understood[: len(requests_in(data))], data
    assert compared > ROUNDS // 40
    assert only_so > ROUNDS // 40


@pytest.mark.parametrize("seed", range(4))
def test_any_response_gives_a_value_or_the_one_error(seed: int) -> None:
    rng = random.Random(seed)
    accepted = 0
    for _ in range(ROUNDS // 4):
        data = mutated(rng, rng.choice(RESPONSE_SEEDS))
        try:
            head = parse_response(data, b"GET")
        except BadMessage:
            continue
        if head is not None:
            accepted += 1
            sent = forward_response(head, minor=1, chunked=head.body < 0, keep_alive=True)
            again = parse_response(sent, b"GET")
            assert again is not None
            assert (again.status, again.body) == (head.status, CHUNKED if head.body < 0 else head.body), data
    assert accepted > ROUNDS // 100


@pytest.mark.parametrize("seed", range(4))
def test_a_head_means_the_same_however_it_is_split(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(ROUNDS // 4):
        data = mutated(rng, rng.choice(GOOD_SEEDS + BAD_SEEDS))
        ends = [*sorted(rng.sample(range(len(data) + 1), 3)), len(data)]
        assert outcome(data, [len(data)], LIMITS) == outcome(data, ends, LIMITS)
        data = bared(rng, data)
        assert outcome(data, [len(data)], BARE_LF) == outcome(data, ends, BARE_LF), data


def outcome(data: bytes, ends: list[int], limits: HttpLimits) -> object:
    for end in ends:
        try:
            head = parse_request(data[:end], limits)
        except BadMessage as bad:
            return bad.reason
        if head is not None:
            return head
    return None


@pytest.mark.parametrize("path", SMUGGLING, ids=[path.stem for path in SMUGGLING])
def test_smuggling(path: Path) -> None:
    data = path.read_bytes()
    for limits in (LIMITS, BARE_LF):
        assert all(b"smuggled" not in head.target for head, _ in requests_in(data, limits))
    status = int(path.name[:3])
    with pytest.raises(BadMessage) as refused:
        take_all(data)
    assert refused.value.status == status


def take_all(data: bytes) -> None:
    """Head and body of the first request."""
    head = parse_request(data, LIMITS)
    assert head is not None
    if head.body == CHUNKED:
        ChunkedDecoder().feed(data[head.size :])
