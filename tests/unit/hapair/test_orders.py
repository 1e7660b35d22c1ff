"""A worker obeys: a real engine is listed, ended, paused, resumed and limited."""

import socket
from collections.abc import Iterator

import pytest

from balancer.counts import TOTAL_US_MAX
from balancer.http1.errors import Reason
from balancer.queue_counts import QUEUE_MOST, QUEUED
from balancer.testing import settle
from hapair.messages import Obeyed, Order
from hapair.orders import obey
from tests.unit.balancer.test_engine import House, end_of


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    house.apply()
    yield house
    house.close()


def order(house: House, what: str, **said: object) -> Obeyed:
    answer = obey(house.engine, Order(serial=3, what=what, **said))  # type: ignore[arg-type]
    settle(house.reactor)
    assert answer.serial == 3
    return answer


def test_connections_are_told_and_ended(house: House) -> None:
    client = house.connect()
    other = house.connect()
    told = order(house, "list").sessions
    assert {one.port for one in told} == {client.getsockname()[1], other.getsockname()[1]}
    mine = next(one for one in told if one.port == client.getsockname()[1])
    assert order(house, "end", number=mine.id).count == 1
    assert end_of(client) == "reset"
    assert order(house, "end_server", pool="pool", server="two").count == 1
    assert end_of(other) == "reset"
    assert order(house, "list").sessions == ()


def test_maxima_are_forgotten_and_totals_of_queues_where_it_is_said_so(house: House) -> None:
    worker = house.engine.worker_index
    server, queue = house.slots.server(worker, "pool", "one"), house.slots.queue(worker, "pool", "one")
    server.raise_to(TOTAL_US_MAX, 70)
    for slot in (QUEUE_MOST, QUEUED):
        queue.set(slot, 9)
    order(house, "forget_maxima")
    assert house.slots.server_counts("pool", "one").total_us_max == 0
    assert (queue.get(QUEUE_MOST), queue.get(QUEUED)) == (0, 9)
    order(house, "forget_counts")
    assert (queue.get(QUEUE_MOST), queue.get(QUEUED)) == (0, 0)


def test_malformed_messages_are_told(house: House) -> None:
    (acceptor,) = house.engine.acceptors("main")
    acceptor.service.evidence.keep("request", Reason.METHOD, b"( /", frontend="main", peer=("192.0.2.1", 7), at=3.0)
    told = order(house, "errors")
    assert (told.count, [one.data for one in told.errors]) == (1, [b"( /"])


def test_a_frontend_is_paused_and_goes_on(house: House) -> None:
    before = house.connect()
    server = house.server.accept()
    assert order(house, "pause", frontend="main").count == 1
    (listening,) = house.listeners.values()
    listening.shutdown(socket.SHUT_RD)
    with pytest.raises(ConnectionRefusedError):
        house.connect()
    before.sendall(b"on")
    settle(house.reactor)
    assert server.recv(10) == b"on"
    server.close()
    listening.listen(10)
    assert order(house, "resume", frontend="main").count == 1
    after = house.connect()
    after.sendall(b"again")
    settle(house.reactor)
    with house.server.accept() as server:
        assert server.recv(10) == b"again"
    assert order(house, "resume", frontend="main").count == 1  # it is harmless where it goes on already
    assert order(house, "pause", frontend="nowhere").count == 0


def test_what_is_queued_is_taken_before_a_pause(house: House) -> None:
    (listening,) = house.listeners.values()
    client = socket.create_connection(("127.0.0.1", house.endpoint.port), 5)
    house.clients.append(client)
    order(house, "pause", frontend="main")
    listening.shutdown(socket.SHUT_RD)
    client.sendall(b"hello")
    settle(house.reactor)
    with house.server.accept() as server:
        assert server.recv(10) == b"hello"


def test_a_socket_that_listens_no_more_is_no_bug(house: House) -> None:
    (listening,) = house.listeners.values()
    listening.shutdown(socket.SHUT_RD)
    house.engine.heartbeat()
    for _ in range(3):
        house.reactor.turn(0)
    assert house.engine.snapshot().bugs == 0
    order(house, "pause", frontend="main")


def test_a_limit_holds_at_once(house: House) -> None:
    house.connect()
    assert order(house, "limit", frontend="main", number=1).count == 1
    house.connect()
    assert house.engine.snapshot().frontends["main"].open_here == 1
    order(house, "limit", frontend="main", number=2)
    assert house.engine.snapshot().frontends["main"].open_here == 2
