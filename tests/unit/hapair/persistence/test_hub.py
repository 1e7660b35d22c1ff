"""The node passes on what is news to it: to its other workers, and to the peer."""

from typing import Any

import pytest

from balancer.config_persistence import CookieSettings, PersistenceSettings, SourceSettings
from balancer.config_pools import Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.persistence.table import Entry
from hapair.messages import CookieCounts, ForgetSources, Sources
from hapair.persistence.hub import Hub
from hapair.persistence.messages import PeerForgetSources, PeerSources, PeerSourcesTaken
from hapair.persistence.outbox import Batch
from hapair.persistence.views import PersistenceView

SERVERS = {"web1": Server(address=Endpoint("192.0.2.1", 80)), "web2": Server(address=Endpoint("192.0.2.2", 80))}
BOTH = PersistenceSettings(source=SourceSettings(size=9, expiry_s=100.0), cookie=CookieSettings(name="H"))
POOLS = {"web": Pool(servers=SERVERS, persistence=BOTH), "plain": Pool(servers=SERVERS)}
A = Entry("192.0.2.7", "web1", 5, 9.0)


class House:
    def __init__(self) -> None:
        self.now = 10.0
        self.hub = Hub(lambda: self.now, lambda: 1e9)
        self.hub.configure(POOLS)
        self.heard: dict[int, list[Any]] = {0: [], 1: []}
        self.peer: list[Any] = []
        self.hub.has_peer, self.hub.tell_peer = True, self.peer.append
        for worker, heard in self.heard.items():
            self.hub.greet(worker, heard.append)


@pytest.fixture
def house() -> House:
    return House()


def test_what_one_worker_learns_the_others_and_the_peer_hear(house: House) -> None:
    for _ in range(2):
        house.hub.hear(0, Sources("web", (A,)))
    assert house.heard == {0: [], 1: [Sources("web", (A,))]}
    house.now = 12.0
    assert house.hub.outbox.next(12.0) == Batch(1, "web", (Entry("192.0.2.7", "web1", 5, -3.0),))
    house.hub.hear(0, Sources("plain", (A,)))
    assert house.hub.outbox.next(12.0) is None


def test_what_the_peer_says_all_workers_hear_and_nobody_tells_it_again(house: House) -> None:
    house.hub.hear_peer(PeerSources(7, "web", (Entry("192.0.2.7", "web1", 5, -1.0),)))
    assert house.heard == {0: [Sources("web", (A,))], 1: [Sources("web", (A,))]}
    assert house.peer == [PeerSourcesTaken(7)]
    assert house.hub.outbox.next(10.0) is None


def test_a_worker_that_starts_hears_all(house: House) -> None:
    house.hub.remember({"web": [A], "gone": [A]})
    house.hub.gone(1)
    fresh: list[Any] = []
    house.hub.greet(1, fresh.append)
    assert fresh == [Sources("web", (A,))]


def test_what_is_forgotten_is_forgotten_everywhere(house: House) -> None:
    house.hub.hear(0, Sources("web", (A,)))
    house.heard[1].clear()
    house.hub.forget("web", "192.0.2.7")
    said = ForgetSources("web", "192.0.2.7")
    assert house.heard == {0: [said], 1: [said]}
    assert house.peer == [PeerForgetSources("web", "192.0.2.7")]
    assert list(house.hub.entries("web")) == []
    house.hub.hear_peer(PeerForgetSources("web", None))
    assert house.heard[0][-1] == ForgetSources("web", None)
    assert len(house.peer) == 1
    with pytest.raises(KeyError):
        house.hub.forget("plain", None)


def test_how_it_stands(house: House) -> None:
    house.hub.hear(0, Sources("web", (A,)))
    house.hub.hear(0, CookieCounts("web", {"set": 3}))
    house.hub.hear(0, CookieCounts("web", {"set": 4}))
    house.hub.hear(1, CookieCounts("web", {"set": 1, "forged": 1}))
    house.hub.greet(0, lambda _: None)
    house.hub.hear(0, CookieCounts("web", {"set": 2}))
    cookies = {"set": 7, "forged": 1}
    assert house.hub.views() == (PersistenceView(pool="web", cookie="H", cookies=cookies, size=9, used=1, evicted=0),)
    house.now = 29.0
    assert list(house.hub.entries("web")) == [(A, 80.0)]


def test_a_worker_hears_much_in_pieces(house: House) -> None:
    house.hub.configure({"web": Pool(servers=SERVERS, persistence=PersistenceSettings(source=SourceSettings()))})
    many = tuple(Entry(str(number), "web1", 5, 9.0) for number in range(250))
    house.hub.hear(0, Sources("web", many))
    fresh: list[Any] = []
    house.hub.greet(2, fresh.append)
    assert house.heard[1] == fresh == [Sources("web", many[at : at + 100]) for at in (0, 100, 200)]


def test_where_there_is_no_peer_nothing_waits_for_one(house: House) -> None:
    house.hub.has_peer = False
    house.hub.hear(0, Sources("web", (A,)))
    assert house.hub.outbox.waiting == 0
