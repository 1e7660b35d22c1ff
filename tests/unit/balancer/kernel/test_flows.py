"""Which flows the peer is told of, and what is done with what it tells."""

from math import inf

import pytest

from balancer.kernel.conntrack import SEEN_REPLY, TCP, UDP, Flow, Tcp, Told
from balancer.kernel.flows import Add, Door, Drop, Intake, Outbox, Put, Replace, doors_of, is_worth_telling
from balancer.kernel.records import Record

WEB, DNS = Door(TCP, b"vip0", 80), Door(UDP, b"vip0", 53)


def tcp(port: int, *, state: int = 3, server: bytes = b"srv1", vip_port: int = 80) -> Flow:
    return Flow(
        *(TCP, b"clnt", port, b"vip0", vip_port, server, 8080, b"vip0", port, SEEN_REPLY, 600),
        Tcp(state, (7, 7), (0, 0)),
    )


def udp(port: int, status: int = SEEN_REPLY) -> Flow:
    return Flow(UDP, b"clnt", port, b"vip0", 53, b"srv1", 53, b"vip0", port, status, 30, None)


@pytest.fixture
def outbox() -> Outbox:
    outbox = Outbox(waiting_limit=3)
    outbox.open({WEB, DNS}, 0.0)
    outbox.needs_resync = False
    return outbox


def records(outbox: Outbox, limit: int = 100) -> list[tuple[int, bool]]:
    batch = outbox.batch(limit)
    return [] if batch is None else [(one.flow.client_port, one.gone) for one in batch.records]


def test_what_is_worth_telling() -> None:
    assert [is_worth_telling(tcp(1, state=state)) for state in range(1, 10)] == [
        *(False, False, True, True, True, True, False, False, False)
    ]
    assert [is_worth_telling(udp(1, status)) for status in (0, SEEN_REPLY)] == [False, True]


def test_a_flow_waits_once_and_is_told_as_it_is_last(outbox: Outbox) -> None:
    for now, state in enumerate((1, 2, 3, 4)):
        outbox.hear(Told(tcp(7, state=state), gone=False), float(now))
    batch = outbox.batch(10)
    assert batch is not None
    assert batch.records == (Record(tcp(7, state=4), gone=False),)
    assert batch.oldest_at == 2.0
    assert outbox.batch(10) is None
    assert outbox.told == 1


def test_the_end_is_told_of_those_that_were_told_of(outbox: Outbox) -> None:
    outbox.hear(Told(tcp(7), gone=False), 0.0)
    outbox.hear(Told(tcp(7, state=7), gone=False), 0.0)
    assert records(outbox) == []
    outbox.hear(Told(tcp(8), gone=False), 0.0)
    assert records(outbox) == [(8, False)]
    outbox.hear(Told(tcp(8), gone=True), 1.0)
    outbox.hear(Told(tcp(9), gone=True), 1.0)
    assert records(outbox) == [(8, True)]
    assert outbox.told == 0


def test_an_event_that_does_not_tell_the_state_of_tcp_says_nothing(outbox: Outbox) -> None:
    outbox.hear(Told(tcp(7), gone=False), 0.0)
    assert records(outbox) == [(7, False)]
    outbox.hear(Told(tcp(7)._replace(tcp=None), gone=False), 0.0)
    assert records(outbox) == []
    assert outbox.told == 1
    outbox.hear(Told(tcp(7)._replace(tcp=None), gone=True), 0.0)
    assert outbox.told == 0


def test_what_is_told_is_counted_by_frontend(outbox: Outbox) -> None:
    owners = {WEB: "web", DNS: "dns"}
    for one in (tcp(1), tcp(2), udp(3)):
        outbox.hear(Told(one, gone=False), 0.0)
    assert outbox.told_of(owners) == {}
    outbox.batch(10)
    outbox.hear(Told(tcp(2, state=4), gone=False), 0.0)
    outbox.batch(10)
    assert outbox.told_of(owners) == {"web": 2, "dns": 1}
    outbox.hear(Told(udp(3), gone=True), 0.0)
    assert outbox.told_of(owners) == {"web": 2}
    outbox.start_over()
    assert outbox.told_of(owners) == {}


def test_a_key_that_is_used_again_is_told_again(outbox: Outbox) -> None:
    outbox.hear(Told(tcp(7), gone=False), 0.0)
    records(outbox)
    outbox.hear(Told(tcp(7), gone=True), 0.0)
    outbox.hear(Told(tcp(7, server=b"srv2"), gone=False), 0.0)
    batch = outbox.batch(1)
    assert batch is not None
    assert batch.records == (Record(tcp(7, server=b"srv2"), gone=False),)


def test_other_flows_are_none_of_its_business(outbox: Outbox) -> None:
    outbox.hear(Told(tcp(7, vip_port=81), gone=False), 0.0)
    assert outbox.waiting == 0


def test_batches_have_a_limit_and_the_oldest_go_first(outbox: Outbox) -> None:
    for port in (1, 2, 3):
        outbox.hear(Told(udp(port), gone=False), float(port))
    assert outbox.oldest_at == 1.0
    assert records(outbox, 2) == [(1, False), (2, False)]
    assert outbox.oldest_at == 3.0
    assert records(outbox, 2) == [(3, False)]
    assert outbox.oldest_at == inf


def test_too_many_that_wait_are_dropped_and_everything_is_told_anew(outbox: Outbox) -> None:
    for port in range(4):
        outbox.hear(Told(tcp(port), gone=False), 0.0)
    assert (outbox.waiting, outbox.needs_resync, outbox.overruns) == (0, True, 1)


def test_of_more_flows_than_it_can_keep_in_mind_the_last_are_not_told_of_and_counted(outbox: Outbox) -> None:
    outbox.told_limit = 2
    outbox.hear(Told(tcp(1), gone=False), 0.0)
    records(outbox)
    for port in (2, 3, 2):
        outbox.hear(Told(tcp(port), gone=False), 0.0)
    outbox.hear(Told(tcp(1, state=4), gone=False), 0.0)  # of this one the peer knows
    assert records(outbox) == [(2, False), (1, False)]
    assert (outbox.told, outbox.untold, outbox.overruns, outbox.needs_resync) == (2, 1, 0, False)
    outbox.hear(Told(tcp(3), gone=True), 0.0)
    outbox.hear(Told(tcp(1), gone=True), 0.0)
    assert records(outbox) == [(1, True)]
    outbox.hear(Told(tcp(4), gone=False), 0.0)
    assert records(outbox) == [(4, False)]
    assert (outbox.told, outbox.untold) == (2, 1)


def test_other_frontends_begin_anew_the_same_ones_do_not(outbox: Outbox) -> None:
    outbox.open({WEB, DNS}, 0.0)
    assert not outbox.needs_resync
    outbox.open({WEB}, 0.0)
    assert outbox.needs_resync


def test_flows_of_a_frontend_that_has_just_gone_are_told_once_more(outbox: Outbox) -> None:
    known = [tcp(1), tcp(2, state=1), udp(3)]
    assert outbox.parting(known, 1.0) == []
    outbox.open({DNS}, 1.0)
    assert outbox.left == {WEB}
    assert outbox.parting(known, 31.0) == [Record(tcp(1), gone=False)]
    assert outbox.parting(known, 31.1) == []  # the peer has had it for long, and knows better
    outbox.open({WEB, DNS}, 32.0)
    assert outbox.parting(known, 32.0) == []


@pytest.fixture
def intake() -> Intake:
    return Intake(known=frozenset({WEB, DNS}))


def test_what_the_peer_tells_is_entered(intake: Intake) -> None:
    assert list(intake.take([Record(tcp(1), gone=False), Record(tcp(2), gone=True)])) == [Put(tcp(1)), Drop(tcp(2).key)]


def test_of_what_is_here_nobody_else_knows_better(intake: Intake) -> None:
    intake.own = frozenset({WEB})
    told = [Record(tcp(1), gone=False), Record(udp(2), gone=False), Record(tcp(3, vip_port=99), gone=True)]
    assert list(intake.take(told)) == [Add(tcp(1)), Put(udp(2))]
    assert list(intake.take([Record(tcp(1), gone=True)])) == []
    assert intake.foreign == 1


def test_a_resync_leaves_nothing_that_was_not_told(intake: Intake) -> None:
    intake.begin()
    intake.remember([tcp(1), tcp(2)])
    intake.remember([tcp(3, server=b"srv2"), tcp(4, vip_port=99)])
    told = [Record(tcp(1), gone=False), Record(tcp(3), gone=False), Record(tcp(5), gone=False)]
    assert list(intake.take(told)) == [Put(tcp(1)), Replace(tcp(3)), Put(tcp(5))]
    assert list(intake.end()) == [Drop(tcp(2).key)]
    assert list(intake.take([Record(tcp(3, server=b"srv9"), gone=False)])) == [Put(tcp(3, server=b"srv9"))]


def test_a_vip_that_came_during_a_resync_keeps_its_flows(intake: Intake) -> None:
    intake.begin()
    intake.remember([tcp(1)])
    intake.own = frozenset({WEB})
    assert list(intake.end()) == []


def test_doors_of_frontends() -> None:
    assert doors_of({"web": [WEB], "dns": [DNS]}, ["web", "gone"]) == {WEB}
