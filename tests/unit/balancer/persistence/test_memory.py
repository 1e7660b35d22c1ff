"""What a process knows of clients outlives what the pools are configured as."""

from balancer.config_persistence import CookieSettings, PersistenceSettings, SourceSettings
from balancer.config_pools import Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.persistence.memory import Memory
from balancer.policies.base import Request
from balancer.pool import PoolState

SERVERS = {"web1": Server(address=Endpoint("192.0.2.1", 80)), "web2": Server(address=Endpoint("192.0.2.2", 80))}
STICKY = PersistenceSettings(source=SourceSettings(expiry_s=100.0), cookie=CookieSettings(name="H"))


def pool(persistence: PersistenceSettings | None = STICKY, size: int = 2) -> Pool:
    return Pool(servers=dict(list(SERVERS.items())[:size]), persistence=persistence)


def state_of(config: Pool) -> PoolState:
    return PoolState(config, lambda _: 0)


class Clock:
    def __init__(self) -> None:
        self.now = 10.0
        self.calls = 0
        self.memory = Memory(bytes(32), lambda: self.now, lambda: self.now + 1e9)
        self.memory.on_change = self._called

    def _called(self) -> None:
        self.calls += 1

    def equipped(self, config: Pool) -> PoolState:
        state = state_of(config)
        self.memory.equip({"web": config}, {"web": state})
        return state


CLIENT = Request("192.0.2.9")


def test_a_client_keeps_its_server_also_with_another_state_of_the_pool() -> None:
    clock = Clock()
    state = clock.equipped(pool())
    assert state.reads_request
    first = state.choose((), CLIENT)
    assert first is not None
    assert [state.choose((), CLIENT) for _ in range(3)] == [first] * 3
    assert clock.calls == 1
    assert clock.equipped(pool()).wanted(CLIENT) == first


def test_where_a_server_left_or_takes_nothing_a_client_goes_elsewhere_and_stays_there() -> None:
    clock = Clock()
    state = clock.equipped(pool())
    first = state.choose((), CLIENT)
    assert first == "web1"
    state.set_admin(first, "drain")
    assert state.choose((), CLIENT) == "web1"
    state.set_admin(first, "maint")
    assert state.wanted(CLIENT) is None
    assert state.choose((), CLIENT) == "web2"
    state.set_admin(first, "ready")
    assert state.choose((), CLIENT) == "web2"
    assert state.choose(("web2",), CLIENT) == "web1"
    assert clock.equipped(pool(size=1)).choose((), CLIENT) == "web1"
    state.set_health("web1", up=False)
    assert state.choose((), CLIENT) == "web2"


def test_without_it_a_pool_asks_nobody() -> None:
    clock = Clock()
    state = clock.equipped(pool(None))
    assert state.belonging is None
    assert not state.reads_request
    assert state.wanted(CLIENT) is None
    assert clock.memory.tables == {}


def test_a_pool_that_is_persistent_no_more_is_forgotten() -> None:
    clock = Clock()
    clock.equipped(pool()).choose((), CLIENT)
    assert len(clock.memory.tables["web"]) == 1
    clock.equipped(pool(PersistenceSettings(source=SourceSettings(expiry_s=50.0))))
    assert len(clock.memory.tables["web"]) == 1
    clock.now += 60
    clock.memory.sweep(clock.now)
    assert len(clock.memory.tables["web"]) == 0
    clock.memory.keep({"api": STICKY})
    assert list(clock.memory.tables) == ["api"]
    clock.memory.keep({"api": PersistenceSettings(cookie=CookieSettings(name="H"))})
    assert clock.memory.tables == {}
