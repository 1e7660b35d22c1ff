"""The shared slots: one layout for all, one writer for each, sums for everyone."""

import os

import pytest

from balancer.causes import Cause
from balancer.config import BalancerConfig, ClientLimits, Frontend, Pool, Server
from balancer.counts import CONNECT_US_MAX, KEPT, KEPT_PROVEN
from balancer.fieldtypes import Endpoint
from balancer.latencies import BUCKETS
from balancer.queue_counts import QUEUE_ALL, QUEUE_WAITING, QUEUED, QueueCounts
from balancer.slots import (
    BYTES_IN,
    CAUSES_RECORDS,
    HEARTBEAT_NS,
    LATENCIES,
    OPEN,
    RECORD,
    Counters,
    Counts,
    Slots,
)

SERVER = Server(address=Endpoint("192.0.2.1", 80))
CONFIG = BalancerConfig(
    frontends={
        "web": Frontend(listen=(Endpoint("127.0.0.1", 1),), pool="b"),
        "api": Frontend(listen=(Endpoint("127.0.0.1", 2),), pool="a"),
    },
    pools={"b": Pool(servers={"two": SERVER, "one": SERVER}), "a": Pool(servers={"one": SERVER})},
)


def test_a_worker_that_starts_anew_has_nobody_waiting() -> None:
    node = Slots.create(CONFIG, 2)
    for worker in (0, 1):
        for server in ("", "one"):
            for slot in (QUEUE_WAITING, QUEUED, QUEUE_ALL):
                node.queue(worker, "b", server).add(slot, 3)
    node.forget_open(0)
    assert (node.queue_counts("b").waiting, node.queue_counts("b").waited) == (3, 6)
    assert node.queue_counts("b", "one") == QueueCounts(waiting=3, waited=6)
    assert [node.queue(worker, "b").get(QUEUE_ALL) for worker in (0, 1)] == [0, 3]
    node.close()


def test_a_record_can_be_moved_to_counters_that_do_more() -> None:
    class More(Counters):
        __slots__ = ()

    node = Slots.create(CONFIG, 1)
    node.server(0, "b", "two").add(OPEN)
    more = node.server(0, "b", "two").moved_to(More)
    more.add(OPEN)
    assert node.server_counts("b", "two").open == 2
    node.close()


def test_limits_are_shared_by_all_workers_and_a_new_one_begins_with_nothing_open() -> None:
    limits = ClientLimits(connections=2, clients=1024)
    frontend = Frontend(listen=(Endpoint("127.0.0.1", 1),), pool="a", limits=limits)
    config = BalancerConfig(frontends={"web": frontend}, pools={"a": Pool(servers={"one": SERVER})})
    node = Slots.create(config, 2)
    other = Slots.attach(config, 2, os.dup(node.fd))
    one, two = node.limiter(0, "web", limits), other.limiter(1, "web", limits)
    assert one is not None
    assert two is not None
    assert (one.connect("192.0.2.1", 1.0), two.connect("192.0.2.1", 1.0)) == (None, None)
    assert two.connect("192.0.2.1", 1.0) is Cause.TOO_MANY_CONNECTIONS
    other.forget_open(0)
    assert two.connect("192.0.2.1", 1.0) is None
    node.close()
    other.close()


def test_a_frontend_without_limits_has_no_limiter() -> None:
    node = Slots.create(CONFIG, 1)
    assert node.limiter(0, "web", ClientLimits()) is None
    node.close()


def test_causes_have_room_and_are_added_up() -> None:
    assert len(list(Cause)) <= LATENCIES
    assert LATENCIES + BUCKETS <= CAUSES_RECORDS * RECORD
    node = Slots.create(CONFIG, 2)
    node.causes(0, "web").add_cause(Cause.DENIED)
    node.causes(1, "web").add_cause(Cause.DENIED)
    node.causes(1, "api").add_cause(Cause.TOO_MANY_REQUESTS)
    node.forget_open(0)
    assert node.cause_counts("web") == {Cause.DENIED: 2}
    assert node.cause_counts("api") == {Cause.TOO_MANY_REQUESTS: 1}
    node.close()


def test_each_worker_writes_its_own_and_all_read_the_sum() -> None:
    node = Slots.create(CONFIG, 2)
    workers = [Slots.attach(CONFIG, 2, os.dup(node.fd)) for _ in range(2)]
    workers[0].server(0, "b", "one").opened()
    workers[1].server(1, "b", "one").opened()
    workers[1].server(1, "b", "one").add(OPEN, -1)
    workers[1].server(1, "b", "one").add(BYTES_IN, 1 << 40)
    workers[1].frontend(1, "web").add_status(404)
    workers[0].worker(0).set(HEARTBEAT_NS, 5)

    nothing = dict.fromkeys(Counts.__slots__, 0)
    assert node.server_counts("b", "one") == Counts(**nothing | {"open": 1, "connections": 2, "bytes_in": 1 << 40})
    assert node.server_counts("b", "two") == Counts(**nothing)
    assert node.frontend_counts("web") == Counts(**nothing | {"status_4xx": 1})
    assert node.worker(0).get(HEARTBEAT_NS) == 5
    assert node.worker(1).get(HEARTBEAT_NS) == 0
    for slots in (*workers, node):
        slots.close()


@pytest.mark.parametrize(
    ("status", "field"),
    [(100, "status_1xx"), (204, "status_2xx"), (304, "status_3xx"), (499, "status_4xx"), (599, "status_5xx")],
)
def test_a_status_is_counted_by_its_first_digit(status: int, field: str) -> None:
    slots = Slots.create(CONFIG, 1)
    slots.frontend(0, "web").add_status(status)
    assert getattr(slots.frontend_counts("web"), field) == 1
    slots.close()


def test_exchanges_are_written_down_when_they_are_settled() -> None:
    slots = Slots.create(CONFIG, 1)
    server = slots.server(0, "a", "one")
    unsettled: list[Counters] = []
    server.add_exchange(200, 10, 20, unsettled)
    server.add_exchange(404, 1, 2, unsettled)
    assert unsettled == [server]
    assert slots.server_counts("a", "one").requests == 0
    for again in range(2):  # the second time there is nothing left to write
        server.settle()
        counts = slots.server_counts("a", "one")
        assert (counts.requests, counts.status_2xx, counts.status_4xx) == (2, 1, 1), again
        assert (counts.bytes_in, counts.bytes_out) == (11, 22)
    server.add_exchange(200, 10, 20, unsettled)
    assert unsettled == [server, server]
    slots.close()


def test_latencies_are_added_up_for_a_server_and_put_into_buckets_for_a_frontend() -> None:
    slots = Slots.create(CONFIG, 2)
    server = slots.server(0, "a", "one")
    server.add_exchange(200, 10, 20, [], 0.25)
    server.add_exchange(200, 10, 20, [], 0.5)
    server.settle()
    server.settle()
    counts = slots.server_counts("a", "one")
    assert (counts.latency_us, counts.total_us, counts.connect_us) == (750_000, 750_000, 0)
    slots.causes(0, "web").add_latency(0.00001)
    slots.causes(1, "web").add_latency(0.00001)
    slots.causes(1, "web").add_latency(3600.0)
    assert slots.latency_counts("web") == (2, *[0] * 62, 1)
    assert slots.latency_counts("api") == (0,) * 64
    assert slots.cause_counts("web") == {}
    slots.close()


def test_open_connections_over_all_workers() -> None:
    slots = Slots.create(CONFIG, 3)
    for worker in range(3):
        slots.server(worker, "a", "one").opened()
    assert slots.open_at(slots.open_indexes("a", "one")) == 3
    assert slots.open_at(slots.open_indexes("b", "one")) == 0
    slots.close()


def test_a_worker_that_starts_again_has_nothing_open_and_counts_on() -> None:
    slots = Slots.create(CONFIG, 2)
    for worker in range(2):
        slots.server(worker, "a", "one").opened()
        slots.frontend(worker, "web").opened()
    slots.forget_open(0)
    assert slots.server_counts("a", "one").open == 1
    assert slots.frontend_counts("web").open == 1
    assert slots.server_counts("a", "one").connections == 2
    slots.close()


def test_slots_of_another_configuration_are_refused() -> None:
    node = Slots.create(CONFIG, 2)
    with pytest.raises(ValueError, match="another configuration"):
        Slots.attach(CONFIG, 3, node.fd)
    node.close()


def test_of_maxima_the_greatest_of_all_workers_counts_also_of_one_that_is_no_more() -> None:
    node, before = Slots.create(CONFIG, 2), Slots.create(CONFIG, 3)
    for worker, longest_s in ((0, 0.2), (1, 0.3)):
        node.server(worker, "b", "one").note_longest(longest_s, longest_s + 0.1)
    node.server(0, "b", "one").raise_to(CONNECT_US_MAX, 7)
    node.server(0, "b", "one").raise_to(CONNECT_US_MAX, 5)
    counts = node.server_counts("b", "one")
    assert (counts.connect_us_max, counts.response_us_max, counts.total_us_max) == (7, 300_000, 400_000)
    before.server(2, "b", "one").note_longest(0.5, 0.5)
    node.add_ended(before, 2)
    node.add_ended(before, 2)
    assert node.server_counts("b", "one").response_us_max == 500_000
    node.forget_ended_maxima()
    assert node.server_counts("b", "one").response_us_max == 300_000
    for slots in (node, before):
        slots.close()


def test_maxima_begin_anew_and_totals_go_on() -> None:
    node = Slots.create(CONFIG, 1)
    counters = node.server(0, "b", "one")
    counters.opened()
    counters.note_longest(0.25, 0.5)
    assert counters.longest_s == 0.25
    counters.forget_maxima()
    assert (counters.longest_s, node.server_counts("b", "one").total_us_max) == (0.0, 0)
    assert node.server_counts("b", "one").connections == 1
    node.close()


def test_a_worker_that_starts_has_kept_no_connection() -> None:
    node = Slots.create(CONFIG, 2)
    for worker in (0, 1):
        node.server(worker, "b", "one").set(KEPT, 3)
        node.server(worker, "b", "one").set(KEPT_PROVEN, 2)
    node.forget_open(1)
    counts = node.server_counts("b", "one")
    assert (counts.kept, counts.kept_proven) == (3, 2)
    node.close()
