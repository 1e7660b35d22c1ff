"""Clients that wait for servers that are full, on real connections: their turn, their time, their leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from balancer.causes import Cause
from balancer.config import BalancerConfig, Pool, QueueSettings
from balancer.policies import Request
from balancer.relay import tcp
from balancer.relay.queueing import find, find_again
from balancer.testing import run, service_for, stream_pair

if TYPE_CHECKING:
    import pytest

    from tests.unit.balancer.relay.conftest import Http2Client, HttpRig, RigMaker

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = Request("192.0.2.7")
FULL = {"each_server": {"max_connections": 1}}


class BelongsTo:
    """All requests belong to one server."""

    jar = None

    def __init__(self, server: str) -> None:
        self._server = server
        self.went: list[str] = []

    def server_of(self, request: Request) -> str:
        return self._server

    def went_to(self, request: Request, server: str) -> None:
        self.went.append(server)


def waiting(rig: HttpRig, server: str = "") -> int:
    return rig.slots.queue_counts("pool", server).waiting


def test_requests_wait_their_turn_and_each_is_answered_once(make_rig: RigMaker) -> None:
    rig = make_rig(**FULL)
    clients = [rig.client(GET.replace(b"/ ", b"/%d " % number)) for number in range(4)]
    server = rig.server()
    assert waiting(rig) == 3
    assert not rig.was_called()
    for number, client in enumerate(clients):
        assert server.read().startswith(b"GET /%d HTTP/1.1\r\n" % number)
        assert rig.server_counts().open == 1
        server.send(OK)
        assert client.read() == OK
    assert not rig.was_called()  # one connection did for all
    assert (rig.server_counts().open, waiting(rig)) == (0, 0)
    queue = rig.slots.queue_counts("pool")
    assert (queue.waited, queue.waiting_max, queue.late, queue.left) == (3, 3, 0, 0)


def test_nobody_waits_while_another_server_has_room(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, **FULL)
    rig.client(GET)
    rig.client(GET)
    assert (rig.server_counts("one").open, rig.server_counts("two").open, waiting(rig)) == (1, 1, 0)


def test_a_request_that_has_waited_enough_is_told(make_rig: RigMaker) -> None:
    rig = make_rig(in_pool={"queue": QueueSettings(timeout_s=3.0)}, **FULL)
    rig.client(GET)
    client = rig.client(GET)
    rig.pass_time(2.9)
    assert client.read() == b""
    rig.pass_time(0.15)
    assert client.read().startswith(b"HTTP/1.1 503 ")
    assert rig.causes == {Cause.QUEUE_TIMEOUT: 1}
    assert rig.slots.queue_counts("pool").late == 1


def test_one_too_many_is_told_at_once(make_rig: RigMaker) -> None:
    rig = make_rig(in_pool={"queue": QueueSettings(length=1)}, **FULL)
    rig.client(GET)
    rig.client(GET)
    client = rig.client(GET)
    assert client.read().startswith(b"HTTP/1.1 503 ")
    assert rig.causes == {Cause.QUEUE_TOO_LONG: 1}
    assert (waiting(rig), rig.slots.queue_counts("pool").refused) == (1, 1)


def test_where_nobody_may_wait_a_full_server_is_told_at_once(make_rig: RigMaker) -> None:
    rig = make_rig(in_pool={"queue": QueueSettings(length=0)}, **FULL)
    rig.client(GET)
    assert rig.client(GET).read().startswith(b"HTTP/1.1 503 ")


def test_a_client_that_leaves_makes_room_and_no_server_hears_of_it(make_rig: RigMaker) -> None:
    rig = make_rig(**FULL)
    first, gone, reset, last = (rig.client(GET.replace(b"/ ", b"/%d " % number)) for number in range(4))
    gone.close()
    assert waiting(rig) == 2
    reset.break_off()
    assert waiting(rig) == 1
    server = rig.server()
    server.read()
    server.send(OK)
    assert first.read() == OK
    assert server.read().startswith(b"GET /3 ")
    server.send(OK)
    assert last.read() == OK
    assert rig.slots.queue_counts("pool").left == 2


def test_who_has_only_said_all_that_it_had_to_say_waits_on(make_rig: RigMaker) -> None:
    rig = make_rig(**FULL)
    first = rig.client(GET)
    other = rig.client(GET)
    other.send(GET)  # the next request is there already
    other.shut()
    assert waiting(rig) == 1
    server = rig.server()
    server.send(OK)
    server.send(OK)
    assert (first.read(), other.read()) == (OK, OK)


def test_one_that_is_cut_off_while_it_waits_leaves(make_rig: RigMaker) -> None:
    rig = make_rig(**FULL)
    rig.client(GET)
    rig.client(GET)
    rig.connections[1].cancel()
    rig.settle()
    assert waiting(rig) == 0


def test_one_that_is_cut_off_as_it_is_given_a_place_gives_it_on(make_rig: RigMaker) -> None:
    rig = make_rig(**FULL)
    rig.client(GET)
    rig.client(GET)
    last = rig.client(GET.replace(b"/ ", b"/last "))
    rig.connections[0].cancel()
    rig.connections[0].step()  # the second one has the place, and has not run yet
    rig.connections[1].cancel()
    rig.settle()
    servers = [rig.server(), rig.server()]
    assert servers[1].read().startswith(b"GET /last ")
    servers[1].send(OK)
    assert last.read() == OK
    assert rig.server_counts().open == 0


def test_a_server_that_cannot_be_reached_is_left_and_another_one_waited_for(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, **FULL)
    rig.peers[0].close()
    busy = rig.client(GET)  # the first server refuses, the second is taken
    other = rig.client(GET)
    assert (rig.server_counts("one").failed, rig.server_counts("two").open, waiting(rig)) == (2, 1, 1)
    rig.server(1).send(OK)
    rig.server(1).send(OK)
    assert (busy.read(), other.read()) == (OK, OK)
    assert (rig.server_counts("one").open, rig.server_counts("two").open) == (0, 0)


def test_a_request_is_sent_again_only_when_there_is_a_place(make_rig: RigMaker) -> None:
    rig = make_rig(**FULL)
    client = rig.client(GET)
    server = rig.server()
    server.send(OK)
    client.read()
    client.send(GET.replace(b"/ ", b"/again "))
    other = rig.client(GET.replace(b"/ ", b"/other "))
    server.close()  # the connection that was kept: the request goes again, behind the other one
    second = rig.server()
    assert second.read().startswith(b"GET /other ")
    assert (rig.server_counts().open, waiting(rig)) == (1, 1)
    second.send(OK)
    assert other.read() == OK
    third = rig.server()  # never again one that was kept
    assert third.read().startswith(b"GET /again ")
    third.send(OK)
    assert client.read() == OK


def test_without_redispatch_the_same_server_is_tried_again_with_a_place(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, in_pool={"redispatch": False, "retries": 1}, **FULL)
    rig.peers[0].close()
    client = rig.client(GET)
    assert rig.server_counts("one").open == 0
    rig.pass_time(1.1)
    assert client.read().startswith(b"HTTP/1.1 503 ")
    assert (rig.server_counts("one").failed, rig.server_counts("one").open) == (2, 0)


def test_servers_that_go_down_send_those_who_wait_away(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, **FULL)
    rig.client(GET)
    rig.client(GET)
    client = rig.client(GET)
    pool = rig.service.pools["pool"]
    assert pool.room is not None
    pool.state.set_health("one", False)
    pool.room.look_again()
    assert waiting(rig) == 1
    pool.state.set_admin("two", "maint")
    pool.room.look_again()
    assert client.read().startswith(b"HTTP/1.1 503 ")
    assert rig.causes == {Cause.NO_SERVER: 1}


def test_mode_tcp_waits_too(make_rig: RigMaker) -> None:
    rig = make_rig(mode="tcp", relay=tcp.serve, in_pool={"queue": QueueSettings(timeout_s=3.0)}, **FULL)
    first, second, third = rig.client(b"one"), rig.client(b"two"), rig.client(b"three")
    server = rig.server()
    assert (server.read(), waiting(rig)) == (b"one", 2)
    assert not rig.was_called()
    server.close()
    first.close()
    next_one = rig.server()
    assert (next_one.read(), waiting(rig)) == (b"two", 1)
    next_one.send(b"!")
    assert second.read() == b"!"
    rig.pass_time(3.1)
    assert third.read() == b""
    assert third.ended
    assert rig.causes == {Cause.QUEUE_TIMEOUT: 1}


def test_a_client_of_mode_tcp_that_leaves_is_forgotten(make_rig: RigMaker) -> None:
    rig = make_rig(mode="tcp", relay=tcp.serve, **FULL)
    rig.client(b"one")
    silent, sent = rig.client(), rig.client(b"three")
    silent.close()
    sent.break_off()
    assert waiting(rig) == 0


def test_streams_of_http2_wait_one_by_one(
    make_rig: RigMaker, make_http2_client: Any, request: pytest.FixtureRequest
) -> None:
    from balancer.config import Http2

    rig = make_rig(http2=Http2(), **FULL)
    client: Http2Client = make_http2_client(rig.client())
    for stream_id in (1, 3, 5):
        client.request(stream_id, path=b"/%d" % stream_id)
    assert waiting(rig) == 2
    client.h2.reset_stream(3)
    client.flush()
    assert waiting(rig) == 1
    server = rig.server()
    assert server.read().startswith(b"GET /1 ")
    server.send(OK)
    assert server.read().startswith(b"GET /5 ")
    server.send(OK)
    client.read()
    assert (client.body(1), client.body(5)) == (b"ok", b"ok")


class Chain:
    """A rig with a second pool that stands in for the first."""

    def __init__(self, make_rig: RigMaker, **queue: Any) -> None:
        rig = self.rig = make_rig(servers=2, **FULL)
        one, two = rig.config.pools["pool"].servers.values()
        settings = QueueSettings(**queue)
        pools = {
            "pool": Pool(servers={"one": one}, fallback="spare", queue=settings),
            "spare": Pool(servers={"two": two}, queue=settings),
        }
        self.config = BalancerConfig(frontends=rig.config.frontends, pools=pools)
        rig.slots.close()
        rig.slots = type(rig.slots).create(self.config, workers=1)
        rig.service = service_for(rig.reactor, self.config, rig.slots)

    def waiting(self, pool: str) -> int:
        return self.rig.slots.queue_counts(pool).waiting


def test_a_pool_that_stands_in_takes_what_would_wait(make_rig: RigMaker) -> None:
    chain = Chain(make_rig)
    rig = chain.rig
    rig.client(GET)
    rig.client(GET)
    assert (rig.was_called(0), rig.was_called(1)) == (True, True)
    rig.client(GET)
    assert (chain.waiting("pool"), chain.waiting("spare")) == (1, 0)


def test_who_waits_for_a_pool_that_loses_its_servers_goes_on_to_the_next(make_rig: RigMaker) -> None:
    chain = Chain(make_rig)
    rig = chain.rig
    rig.client(GET)
    rig.client(GET)
    client = rig.client(GET.replace(b"/ ", b"/third "))
    pool = rig.service.pools["pool"]
    assert pool.room is not None
    pool.state.set_health("one", False)
    pool.room.look_again()
    rig.settle()
    assert (chain.waiting("pool"), chain.waiting("spare")) == (0, 1)
    server = rig.server(1)
    server.read()
    server.send(OK)
    assert server.read().startswith(b"GET /third ")
    server.send(OK)
    assert client.read() == OK


def test_a_request_waits_for_the_server_that_it_belongs_to(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, in_pool={"queue": QueueSettings(timeout_s=4.0, persistent_timeout_s=1.0)}, **FULL)
    pool = rig.service.pools["pool"]
    ours, theirs = stream_pair(rig.reactor)
    got: list[tuple[str, str | None]] = []

    async def one(name: str) -> None:
        got.append((name, (await find(ours, pool, REQUEST))[1]))

    belonging = BelongsTo("one")
    pool.state.belong(belonging)  # type: ignore[arg-type]

    rig.reactor.spawn(one("first"))
    rig.reactor.spawn(one("second"))
    rig.settle()
    assert got == [("first", "one")]
    assert (waiting(rig), waiting(rig, "one")) == (0, 1)
    pool.counters("one").add(1)  # anything else than OPEN is no news
    pool.counters("one").add(0, -1)
    rig.settle()
    assert got == [("first", "one"), ("second", "one")]
    rig.reactor.spawn(one("third"))
    rig.settle()
    rig.pass_time(1.2)
    assert got[2:] == [("third", "two")]  # it has waited enough for its own
    pool.state.set_admin("one", "drain")
    pool.counters("one").add(0, -1)
    rig.reactor.spawn(one("fourth"))
    rig.settle()
    assert got[3:] == [("fourth", "one")]  # who drains still takes its own
    rig.reactor.spawn(one("fifth"))
    rig.settle()
    assert waiting(rig, "one") == 1
    pool.state.set_admin("one", "maint")
    pool.room.look_again()  # type: ignore[union-attr]
    pool.counters("two").add(0, -1)
    rig.settle()
    assert got[4:] == [("fifth", "two")]  # and who is lost does not
    assert belonging.went == ["one", "one", "two", "one", "two"]
    for server in ("one", "two"):
        pool.counters(server).add(0, -1)
    ours.close()
    theirs.close()


def test_beyond_max_queue_another_server_will_do(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2, each_server={"max_connections": 1, "max_queue": 1})
    pool = rig.service.pools["pool"]
    ours, theirs = stream_pair(rig.reactor)
    got: list[str | None] = []

    async def one() -> None:
        got.append((await find(ours, pool, REQUEST))[1])

    pool.state.belong(BelongsTo("one"))  # type: ignore[arg-type]

    for _ in range(3):
        rig.reactor.spawn(one())
    rig.settle()
    assert got == ["one", "two"]
    assert waiting(rig, "one") == 1
    pool.counters("one").add(0, -1)
    rig.settle()
    assert got == ["one", "two", "one"]
    for server in ("one", "two"):
        pool.counters(server).add(0, -1)
    ours.close()
    theirs.close()


def test_a_pool_without_limits_gives_the_server_that_is_wanted(make_rig: RigMaker) -> None:
    rig = make_rig(servers=2)
    pool = rig.service.pools["pool"]
    ours, theirs = stream_pair(rig.reactor)
    pool.state.belong(BelongsTo("two"))  # type: ignore[arg-type]
    assert run(rig.reactor, find(ours, pool, REQUEST)) == (pool, "two")
    assert run(rig.reactor, find(ours, pool, REQUEST)) == (pool, "two")
    pool.state.set_health("two", False)
    assert run(rig.reactor, find(ours, pool, REQUEST)) == (pool, "one")
    assert run(rig.reactor, find_again(ours, pool, ["one", "two", "one"], None)) is None
    pool.state.set_health("two", True)
    assert run(rig.reactor, find_again(ours, pool, ["one"], None)) == "two"
    assert run(rig.reactor, find_again(ours, pool, ["one", "two", "one"], None)) is None
    ours.close()
    theirs.close()
