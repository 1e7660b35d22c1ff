"""Mode udp on real sockets: flows, replies, retries, limits, flips, draining, counters."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trio

from balancer.causes import Cause
from balancer.config import ClientLimits, UdpSettings
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.standing import Standing
from balancer.testing import FakeClock, settle
from tests.unit.balancer.relay.udp_house import House, closed_port, said, udp_socket


@pytest.fixture
def house(reactor: Reactor, clock: FakeClock) -> Iterator[House]:
    house = House(reactor, clock)
    yield house
    house.close()


@pytest.fixture
def two(reactor: Reactor, clock: FakeClock) -> Iterator[House]:
    house = House(reactor, clock, servers=2)
    yield house
    house.close()


def test_a_question_and_its_answer(house: House) -> None:
    house.start()
    client = house.client()
    house.ask(client, b"hello")
    assert house.answer() == 1
    assert client.recvfrom(100) == (b"HELLO", (house.endpoint.host, house.endpoint.port))
    counts = house.counts()
    assert (counts.open, counts.connections, counts.datagrams_in, counts.datagrams_out) == (1, 1, 1, 1)
    assert (counts.bytes_in, counts.bytes_out, counts.dropped) == (5, 5, 0)
    server = house.slots.server_counts("pool", "one")
    assert (server.open, server.connections, server.datagrams_in, server.bytes_out) == (1, 1, 1, 5)


def test_each_client_has_a_flow_of_its_own_and_keeps_it(house: House) -> None:
    house.start()
    one, other = house.client(), house.client()
    for client in (one, other, one):
        house.ask(client, b"x")
    received = [address for _, address in house.received()]
    assert received[0] == received[2] != received[1]
    house.reply(b"to the other", received[1])
    assert (said(one), said(other)) == (None, b"to the other")
    assert house.counts().connections == 2


def test_only_the_server_can_answer(house: House) -> None:
    house.start()
    client, stranger = house.client(), house.client()
    house.ask(client, b"x")
    [(_, flow)] = house.received()
    stranger.sendto(b"forged", flow)
    settle(house.reactor)
    assert said(client) is None


@pytest.mark.parametrize("size", [0, 1, 1472, 65_507])
def test_datagrams_of_every_size(house: House, size: int) -> None:
    house.start()
    client = house.client()
    data = bytes(index % 251 for index in range(size))
    house.ask(client, data)
    [(received, address)] = house.received()
    assert received == data
    house.reply(data[::-1], address)
    assert said(client) == data[::-1]


@pytest.mark.parametrize(
    ("listen", "family", "asked"),
    [("0.0.0.0", "127.0.0.1", "127.0.0.7"), ("::", "127.0.0.1", "127.0.0.7"), ("::", "::1", "::1")],
)
def test_a_wildcard_answers_from_the_address_that_was_asked(
    reactor: Reactor, clock: FakeClock, listen: str, family: str, asked: str
) -> None:
    house = House(reactor, clock, host=listen).start()
    client = house.client(family)
    house.ask(client, b"hello", asked)
    house.answer()
    data, address = client.recvfrom(100)
    assert (data, address[:2]) == (b"HELLO", (asked, house.endpoint.port))
    if family != "::1":  # asked at another of our addresses it is another flow
        house.ask(client, b"hello", "127.0.0.8")
        house.answer()
        assert client.recvfrom(100)[1][:2] == ("127.0.0.8", house.endpoint.port)
        assert house.counts().connections == 2
    house.close()


def test_ipv6(reactor: Reactor, clock: FakeClock) -> None:
    house = House(reactor, clock, host="::1").start()
    client = house.client("::1")
    house.ask(client, b"hello")
    house.answer()
    assert said(client) == b"HELLO"
    house.close()


def test_a_burst_of_replies_all_come(house: House) -> None:
    house.start()
    client = house.client()
    house.ask(client, b"x")
    [(_, address)] = house.received()
    for number in range(100):
        house.servers[0].sendto(b"%d" % number, address)
    settle(house.reactor)
    assert [said(client) for _ in range(100)] == [b"%d" % number for number in range(100)]


def test_a_flow_ends_when_it_was_quiet_for_so_long(house: House) -> None:
    house.start(udp=UdpSettings(idle_s=30.0))
    client = house.client()
    house.ask(client, b"x")
    house.answer()
    house.pass_time(25.0)
    house.ask(client, b"x")
    house.pass_time(25.0)
    assert house.counts().open == 1
    house.pass_time(10.0)
    counts = house.counts()
    assert (counts.open, counts.connections, counts.timeouts) == (0, 1, 0)
    house.ask(client, b"x")
    assert house.counts().connections == 2


def test_one_that_nobody_answered_is_counted(house: House) -> None:
    house.start(udp=UdpSettings(idle_s=5.0))
    house.ask(house.client(), b"x")
    house.pass_time(6.0)
    assert house.counts().timeouts == 1
    assert house.causes() == {Cause.RESPONSE_TIMEOUT: 1}
    assert house.slots.server_counts("pool", "one").timeouts == 1


def test_it_ends_with_the_last_reply_that_is_expected(house: House) -> None:
    house.start(udp=UdpSettings(replies=1))
    client = house.client()
    house.ask(client, b"one")
    house.ask(client, b"two")
    assert house.answer() == 2
    assert (said(client), said(client)) == (b"ONE", b"TWO")
    assert (house.counts().open, house.counts().connections) == (0, 1)


def test_every_so_many_requests_go_to_another_server(two: House) -> None:
    two.start(udp=UdpSettings(requests=1))
    client = two.client()
    for _ in range(4):
        two.ask(client, b"x")
    assert (two.answer(0), two.answer(1)) == (2, 2)
    assert [said(client) for _ in range(5)] == [b"X", b"X", b"X", b"X", None]


def test_one_way_traffic_needs_one_socket_for_each_server(two: House) -> None:
    two.start(udp=UdpSettings(replies=0))
    for client in (two.client(), two.client(), two.client(), two.client()):
        two.ask(client, b"line")
        two.ask(client, b"line")
    first, second = two.received(0), two.received(1)
    assert (len(first), len(second)) == (4, 4)
    assert len({address for _, address in first}) == 1
    assert (two.counts().open, two.counts().datagrams_in) == (4, 8)
    two.pass_time(100.0)
    assert (two.counts().open, two.counts().timeouts) == (0, 0)


def test_one_way_traffic_balanced_line_by_line_leaves_nothing_open(two: House) -> None:
    two.start(udp=UdpSettings(replies=0, requests=1))
    client = two.client()
    for _ in range(4):
        two.ask(client, b"line")
    assert (len(two.received(0)), len(two.received(1))) == (2, 2)
    assert two.counts().open == 0


def test_a_refused_datagram_goes_to_another_server(two: House) -> None:
    two.endpoints["one"] = closed_port()
    two.start()
    client = two.client()
    two.ask(client, b"first")
    assert two.heard(1) == [b"first"]
    two.ask(client, b"second")
    assert two.heard(1) == [b"second"]
    counts = two.counts()
    assert (counts.open, counts.connections, counts.failed, counts.dropped) == (1, 1, 0, 0)
    assert two.slots.server_counts("pool", "one").failed == 1
    assert two.slots.server_counts("pool", "two").retries == 1


def test_where_nobody_is_there_it_is_dropped_and_counted(two: House) -> None:
    two.endpoints = {"one": closed_port(), "two": closed_port()}
    two.start()
    two.ask(two.client(), b"x")
    counts = two.counts()
    assert (counts.open, counts.failed, counts.dropped) == (0, 1, 1)
    assert two.causes() == {Cause.SERVER_UNREACHABLE: 1}


def test_no_other_server_is_tried_without_redispatch(two: House) -> None:
    two.endpoints["one"] = closed_port()
    two.start(pool={"redispatch": False})
    two.ask(two.client(), b"x")
    assert two.heard(1) == []
    assert two.counts().failed == 1


def test_one_that_was_answered_is_not_sent_again(two: House) -> None:
    two.start()
    client = two.client()
    two.ask(client, b"x")
    two.answer(0)
    two.servers[0].close()
    two.ask(client, b"lost")
    assert two.heard(1) == []
    assert two.counts().open == 0
    two.ask(client, b"new")
    assert two.heard(1) == [b"new"]


def test_one_way_datagrams_are_sent_on_when_their_server_has_gone(two: House) -> None:
    two.start(udp=UdpSettings(replies=0))
    client = two.client()
    two.ask(client, b"1")
    assert two.heard(0) == [b"1"]
    two.servers[0].close()
    for line in (b"2", b"3", b"4"):
        two.ask(client, line)
    assert two.heard(1) == [b"3", b"4"]  # the kernel told of the 2 when the 3 was to be sent


def test_flows_leave_a_server_that_goes_down_with_what_was_not_answered(two: House) -> None:
    two.start()
    waiting, answered = two.client(), two.client()
    two.ask(waiting, b"q")
    two.ask(answered, b"x")
    assert two.heard(0) == [b"q"]
    two.answer(1)
    for name, number in (("one", 0), ("two", 1)):
        two.service.pools["pool"].state.set_standing(name, Standing(up=False))
        two.relay.leave_server("pool", name)
        settle(two.reactor)
        if number == 0:
            assert two.heard(1) == [b"q"]
            assert two.counts().open == 2
    assert two.counts().open == 0


def test_a_server_that_drains_keeps_its_flows(two: House) -> None:
    two.start()
    client = two.client()
    two.ask(client, b"1")
    two.service.pools["pool"].state.set_standing("one", Standing(admin="drain"))
    two.ask(client, b"2")
    two.ask(two.client(), b"new")
    assert (two.heard(0), two.heard(1)) == ([b"1", b"2"], [b"new"])


def test_hashes_send_a_client_to_the_same_server_whatever_its_port(two: House) -> None:
    two.start(pool={"policy": "source_hash"})
    for _ in range(6):
        two.ask(two.client(), b"x")
    assert sorted((len(two.heard(0)), len(two.heard(1)))) == [0, 6]


def test_too_many_flows(house: House) -> None:
    house.start(max_connections=2)
    clients = [house.client() for _ in range(3)]
    for client in clients[:2]:
        house.ask(client, b"x")
        house.answer()
        house.ask(client, b"x")  # both have heard us
    house.ask(clients[2], b"too many")
    assert b"too many" not in house.heard()
    assert (house.counts().open, house.counts().dropped) == (2, 1)
    assert house.causes() == {Cause.TOO_MANY_FLOWS: 1}


def test_one_that_has_proved_nothing_makes_room(house: House) -> None:
    house.start(max_connections=2)
    clients = [house.client() for _ in range(3)]
    for client in clients:
        house.ask(client, b"x")
    assert len(house.heard()) == 3
    assert (house.counts().open, house.counts().dropped) == (2, 0)


def test_flows_of_other_workers_count(house: House) -> None:
    house.start(max_connections=5, elsewhere=5)
    house.ask(house.client(), b"x")
    assert house.heard() == []
    assert house.causes() == {Cause.TOO_MANY_FLOWS: 1}


@pytest.mark.parametrize(
    ("limits", "cause"),
    [
        (ClientLimits(deny=("127.0.0.0/8",)), Cause.DENIED),
        (ClientLimits(connections=1), Cause.TOO_MANY_CONNECTIONS),
        (ClientLimits(connection_rate=1.0), Cause.CONNECTING_TOO_FAST),
    ],
)
def test_what_a_client_may_have(house: House, limits: ClientLimits, cause: Cause) -> None:
    house.start(limits=limits)
    for _ in range(2):
        house.ask(house.client(), b"x")
    assert house.causes()[cause] == 2 - len(house.heard())


def test_a_client_that_may_have_one_flow_may_have_the_next_after_it(house: House) -> None:
    house.start(limits=ClientLimits(connections=1), udp=UdpSettings(replies=1))
    for _ in range(3):
        house.ask(house.client(), b"x")
        assert house.answer() == 1


def test_when_the_vip_has_left_every_flow_ends(house: House) -> None:
    house.start()
    client = house.client()
    house.ask(client, b"x")
    house.relay.abort_all()
    assert house.counts().open == 0
    house.ask(client, b"x")
    assert house.counts().open == 1


def test_draining_lets_flows_end_and_none_begin(house: House) -> None:
    house.start()
    talking, quiet = house.client(), house.client()
    house.ask(talking, b"x")
    house.ask(quiet, b"x")
    house.relay.stop()
    house.relay.close_idle()
    house.pass_time(1.5)
    house.ask(talking, b"more")
    house.ask(house.client(), b"new")
    assert house.heard() == [b"x", b"x", b"more"]
    house.pass_time(1.5)
    assert house.counts().open == 1
    house.pass_time(3.0)
    assert house.counts().open == 0


async def test_until_empty_waits_for_the_last_flow(house: House) -> None:
    house.start()
    house.ask(house.client(), b"x")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.relay.until_empty)
        await trio.testing.wait_all_tasks_blocked()
        house.relay.stop()
        house.relay.abort_all()


def test_what_the_kernel_lost_is_counted_at_the_next_look(house: House) -> None:
    house.start()
    [(listening,)] = house.opened.values()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client = house.client()
    for _ in range(20):
        client.sendto(bytes(1000), (house.endpoint.host, house.endpoint.port))
    settle(house.reactor)
    house.relay.look()
    counts = house.counts()
    assert counts.dropped > 0
    assert counts.dropped + counts.datagrams_in == 20
    assert house.causes() == {Cause.QUEUE_FULL: counts.dropped}


def test_a_datagram_that_the_kernel_does_not_take_is_dropped(reactor: Reactor, clock: FakeClock) -> None:
    house = House(reactor, clock, host="::1")
    house.servers.append(udp_socket())
    house.endpoints = {"one": Endpoint(*house.servers[-1].getsockname())}
    house.start()
    client = house.client("::1")
    house.ask(client, bytes(65_520))  # more than fits into IPv4
    assert house.causes() == {Cause.UPSTREAM_BUSY: 1}
    house.ask(client, b"small")
    assert house.heard(1) == [b"small"]
    house.close()
