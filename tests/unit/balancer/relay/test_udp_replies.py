"""Replies that come in groups, and that do not: what the client gets is what the server has sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from balancer.config import UdpSettings
from balancer.datagrams import in_groups_of
from balancer.reactor import Reactor
from balancer.relay.udp_replies import PATIENCE
from balancer.testing import FakeClock, settle
from tests.unit.balancer.relay.udp_house import House, said


@pytest.fixture
def house(reactor: Reactor, clock: FakeClock) -> Iterator[House]:
    house = House(reactor, clock)
    yield house
    house.close()


def replies_in_groups(house: House, to: Any, first: int, count: int) -> None:
    """As servers of QUIC send: many datagrams by one call."""
    body = b"".join(b"%04d" % number + bytes(996) for number in range(first, first + count))
    house.servers[0].sendmsg([body[:-500]], in_groups_of(1000), 0, to)


@pytest.mark.parametrize("listen", ["127.0.0.1", "0.0.0.0"])
def test_what_a_server_sends_in_groups_comes_as_it_was_sent(reactor: Reactor, clock: FakeClock, listen: str) -> None:
    house = House(reactor, clock, host=listen).start()
    client = house.client()
    house.ask(client, b"x", "127.0.0.1")
    [(_, address)] = house.received()
    received: list[bytes] = []
    for burst in range(6):
        for part in range(2):
            replies_in_groups(house, address, 80 * burst + 40 * part, 40)
        settle(house.reactor)
        received += iter(lambda: said(client), None)
    assert [int(data[:4]) for data in received] == list(range(480))
    assert [len(data) for data in received] == ([1000] * 39 + [500]) * 12
    [flow] = house.relay.connections
    assert flow.patience == PATIENCE
    counts = house.counts()
    assert (counts.datagrams_out, counts.bytes_out) == (480, 12 * 39_500)
    house.close()


def test_a_server_that_sends_them_one_by_one_is_soon_known(house: House) -> None:
    house.start()
    client = house.client()
    house.ask(client, b"x")
    [(_, address)] = house.received()
    received: list[bytes] = []
    for burst in range(6):
        for number in range(50):
            house.servers[0].sendto(b"%d" % (50 * burst + number), address)
        settle(house.reactor)
        received += iter(lambda: said(client), None)
    assert received == [b"%d" % number for number in range(300)]
    [flow] = house.relay.connections
    assert flow.patience == -1


def test_replies_in_groups_end_a_flow_too(house: House) -> None:
    house.start(udp=UdpSettings(replies=120))
    client = house.client()
    house.ask(client, b"x")
    [(_, address)] = house.received()
    received: list[bytes] = []
    for part in range(3):
        replies_in_groups(house, address, 40 * part, 40)
        settle(house.reactor)
        received += iter(lambda: said(client), None)
    assert house.counts().open == 0
    assert len(received) == 120


def test_a_client_that_groups_do_not_reach_gets_them_one_by_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.start()
    client = house.client()
    house.ask(client, b"x")
    [(_, address)] = house.received()
    [flow] = house.relay.connections
    received: list[bytes] = []
    for burst in range(4):
        replies_in_groups(house, address, 40 * burst, 40)
        if burst == 3:
            assert flow.patience == PATIENCE
            monkeypatch.setattr(flow.door, "message", refuse)
        settle(house.reactor)
        received += iter(lambda: said(client), None)
    assert [int(data[:4]) for data in received] == list(range(160))


def refuse(*_: Any) -> int:
    """As the kernel does where a datagram of the group is longer than the way to the client allows."""
    raise OSError(22, "Invalid argument")
