"""What is known of a client connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balancer.causes import Cause
from balancer.relay.http_client import Client, Refusal
from balancer.testing import stream_pair

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig


def test_connections_of_one_client_share_what_is_said_of_it(rig: HttpRig) -> None:
    one, one_peer = stream_pair(rig.reactor)
    two, two_peer = stream_pair(rig.reactor)
    assert Client(rig.service, one).forwarder is Client(rig.service, two).forwarder
    for stream in (one, one_peer, two, two_peer):
        stream.close()


def test_an_answer_begins(rig: HttpRig) -> None:
    stream, peer = stream_pair(rig.reactor)
    client = Client(rig.service, stream)
    client.begin_answer(404, 10, 20, rig.slots.server(0, "pool", "one"))
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
