"""Attempts at servers: connections to whichever can be reached, and what may be sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from balancer.config import HttpLimits
from balancer.failures import DeadlineExpired, Disconnected, StreamFailure
from balancer.http1.errors import BadMessage, Reason
from balancer.http1.request import parse_request
from balancer.relay.http_attempt import NoResponse, check_repeatable, connect, invalid, parse
from balancer.relay.http_client import Client, Refusal
from balancer.relay.http_request import Outgoing
from balancer.testing import run, stream_pair
from balancer.upstream import Upstream

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig, RigMaker


def connected(rig: HttpRig, server: str | None = "one") -> Upstream:
    pool = rig.service.pools["pool"]
    stream, peer = stream_pair(rig.reactor)
    try:
        return run(rig.reactor, connect(Client(rig.service, stream), pool, server))
    finally:
        stream.close()
        peer.close()


def test_a_connection_is_counted_until_it_ends(rig: HttpRig) -> None:
    upstream = connected(rig)
    assert (rig.server_counts().open, rig.server_counts().connections) == (1, 1)
    assert not upstream.was_kept
    upstream.end()
    assert rig.server_counts().open == 0
    assert upstream.stream.closed


def test_another_server_takes_over(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2)
    rig.peers[0].close()
    upstream = connected(rig)
    assert upstream.server == "two"
    assert (rig.server_counts("one").failed, rig.server_counts("one").open) == (1, 0)
    assert (rig.server_counts("two").retries, rig.server_counts("two").open) == (1, 1)
    upstream.end()


def test_no_server_can_be_reached(make_rig: RigMaker) -> None:
    rig = make_rig(in_pool={"retries": 0})
    rig.peers[0].close()
    with pytest.raises(Refusal, match="no server could be reached") as refused:
        connected(rig)
    assert refused.value.status == 503
    assert rig.server_counts().open == 0


def test_no_server_is_usable(rig: HttpRig) -> None:
    with pytest.raises(Refusal, match="no server is available"):
        connected(rig, None)


class Failed:
    """A request that was sent to a server, or not, and the connection that it was sent on."""

    def __init__(self, rig: HttpRig, method: bytes = b"GET", *, kept: bool = True, sent: bool = True) -> None:
        self.upstream = connected(rig)
        self.upstream.was_kept = kept
        self.stream, self.peer = stream_pair(rig.reactor)
        head = parse_request(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n", HttpLimits())
        assert head is not None
        self.outgoing = Outgoing(Client(rig.service, self.stream), head)
        if sent:
            self.outgoing.sent = self.upstream.stream.try_send(self.outgoing.first)
        self.lost = Disconnected(self.upstream.stream, 104)

    def check(self, failure: StreamFailure) -> None:
        try:
            check_repeatable(self.outgoing, self.upstream, failure)
        finally:
            self.upstream.end()
            self.stream.close()
            self.peer.close()


def test_a_kept_connection_that_is_lost_may_be_tried_again(rig: HttpRig) -> None:
    failed = Failed(rig)
    failed.check(failed.lost)
    assert rig.server_counts().retries == 1


def test_a_client_that_leaves_meanwhile_is_counted_where_its_request_went(rig: HttpRig) -> None:
    failed = Failed(rig)
    with pytest.raises(Disconnected):
        failed.check(Disconnected(failed.stream, 104))
    assert (rig.server_counts().client_aborts, rig.server_counts().retries) == (1, 0)


def test_the_longest_connect_is_remembered(rig: HttpRig) -> None:
    connected(rig).end()
    assert rig.server_counts().connect_us_max == rig.server_counts().connect_us


def test_a_request_of_which_nothing_was_sent_may_be_sent_whatever_it_is(rig: HttpRig) -> None:
    failed = Failed(rig, b"POST", sent=False)
    failed.check(failed.lost)


@pytest.mark.parametrize(
    ("method", "kept", "heard"),
    [(b"POST", True, False), (b"GET", False, False), (b"GET", True, True)],
    ids=["not-idempotent", "new-connection", "something-was-heard"],
)
def test_no_second_try(rig: HttpRig, method: bytes, kept: bool, heard: bool) -> None:
    failed = Failed(rig, method, kept=kept)
    with pytest.raises(Refusal) as refused:
        failed.check(NoResponse(failed.upstream.stream, heard=heard))
    assert refused.value.status == 502
    assert rig.server_counts().bad_responses == 1


def test_a_server_that_is_late(rig: HttpRig) -> None:
    failed = Failed(rig)
    with pytest.raises(Refusal) as refused:
        failed.check(DeadlineExpired(failed.upstream.stream))
    assert refused.value.status == 504
    assert rig.server_counts().timeouts == 1


def test_the_client_s_own_failure_is_no_server_s(rig: HttpRig) -> None:
    failed = Failed(rig)
    with pytest.raises(Disconnected):
        failed.check(Disconnected(failed.stream, 104))


def test_nothing_is_tried_again_once_an_answer_has_begun(rig: HttpRig) -> None:
    failed = Failed(rig)
    failed.outgoing.client.answering = True
    with pytest.raises(Disconnected):
        failed.check(failed.lost)


def test_invalid_responses_are_counted_and_it_is_told_whose_they_are(rig: HttpRig) -> None:
    upstream = connected(rig)
    assert parse(b"HTTP/1.1 200", b"GET", upstream) is None
    with pytest.raises(Refusal, match="malformed status line") as refused:
        parse(b"x", b"GET", upstream)
    assert refused.value.invalid is not None
    bad, *whose = refused.value.invalid
    assert (bad.data, whose) == (b"x", ["pool", "one"])
    assert invalid(BadMessage(Reason.CHUNK_SIZE), upstream).status == 502
    assert rig.server_counts().bad_responses == 2
    upstream.end()
