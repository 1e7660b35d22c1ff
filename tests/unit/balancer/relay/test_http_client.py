"""What is known of a client connection."""

from __future__ import annotations

import socket
import tracemalloc
from typing import TYPE_CHECKING

from balancer.causes import Cause
from balancer.http1.response import parse_response
from balancer.relay.http_client import Client, Refusal
from balancer.testing import ListeningPeer, stream_pair
from balancer.upstream import KeptConnections, Upstream

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, RigMaker


def test_connections_of_one_client_share_what_is_said_of_it(rig: HttpRig) -> None:
    listening = ListeningPeer()
    ends = [socket.create_connection((listening.endpoint.host, listening.endpoint.port), 5) for _ in range(2)]
    one, two = (Client(rig.service, listening.accept_stream(rig.reactor)) for _ in ends)
    assert one.forwarder is two.forwarder
    for end in (*ends, one.stream, two.stream, listening):
        end.close()


def test_whoever_is_no_trusted_proxy_is_not_believed(make_rig: RigMaker) -> None:
    rig = make_rig(trusted_proxies=("192.0.2.0/24",))
    rig.client(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n")
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in rig.server().read()


def test_each_request_of_a_trusted_proxy_has_its_own_client(make_rig: RigMaker) -> None:
    rig = make_rig(trusted_proxies=("127.0.0.0/8",))
    client = rig.client(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n")
    server = rig.server()
    assert b"\r\nX-Forwarded-For: 198.51.100.7, 127.0.0.1\r\n" in server.read()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in server.read()


def test_long_stories_of_clients_are_not_kept(make_rig: RigMaker) -> None:
    """What a trusted proxy passes on was written by its clients: they do not choose how much memory it takes here."""
    rig = make_rig(trusted_proxies=("127.0.0.0/8",))
    client = rig.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    server = rig.server()
    tracemalloc.start()
    try:
        for number in range(50):
            assert server.read()
            server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            story = b"192.0.2.%d, " % number * 600
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: %b198.51.100.7\r\n\r\n" % story)
        assert b", 198.51.100.7, 127.0.0.1\r\n" in server.read()
        assert tracemalloc.get_traced_memory()[0] < 300_000
    finally:
        tracemalloc.stop()


def test_an_answer_begins(rig: HttpRig) -> None:
    stream, peer = stream_pair(rig.reactor)
    client = Client(rig.service, stream)
    response = parse_response(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"GET")
    assert response is not None
    upstream = Upstream(KeptConnections(1.0), "one", rig.slots.server(0, "pool", "one"), peer)
    client.begin_answer(response, 10, 20, upstream)
    assert client.answering
    assert stream.deadline == rig.clock.now + 300.0
    rig.reactor.turn()  # what was counted is written down at its end
    for counts in (rig.frontend_counts, rig.server_counts()):
        assert (counts.requests, counts.status_4xx, counts.bytes_in, counts.bytes_out) == (1, 1, 10, 20)
    stream.close()
    peer.close()


def test_a_cause_says_why_in_its_own_words() -> None:
    refusal = Refusal(503, Cause.NO_SERVER)
    assert (refusal.why, refusal.cause) == ("no server is available", Cause.NO_SERVER)


def test_a_refusal_says_why() -> None:
    refusal = Refusal(503, "no server is available")
    assert refusal.cause is None
    assert (refusal.status, refusal.why, str(refusal)) == (503, "no server is available", "no server is available")
