"""What holds for every pool, whatever its weights, limits, flips and loads."""

from collections import Counter
from random import Random
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from balancer.config import Policy, Pool, Server
from balancer.config_pools import HashSettings
from balancer.fieldtypes import Endpoint
from balancer.policies import Request
from balancer.pool import PoolState
from balancer.standing import Admin

POLICIES: st.SearchStrategy[Policy] = st.sampled_from(get_args(Policy))
FAIR: st.SearchStrategy[Policy] = st.sampled_from(["round_robin", "least_connections", "random"])
WEIGHTS = st.lists(st.integers(1, 256), min_size=1, max_size=12)
SMALL_WEIGHTS = st.lists(st.integers(1, 5), min_size=2, max_size=20)

NAMES = [f"s{number}" for number in range(20)]


def pool_of(policy: Policy, weights: list[int], open_now: Counter[str]) -> PoolState:
    servers = {f"s{n}": Server(address=Endpoint("192.0.2.1", 80), weight=weight) for n, weight in enumerate(weights)}
    return PoolState(Pool(policy=policy, servers=servers), lambda name: open_now[name])


def picked(state: PoolState, number: int) -> Counter[str]:
    return Counter(str(state.choose()) for _ in range(number))


@given(WEIGHTS)
def test_a_round_gives_each_server_its_weight(weights: list[int]) -> None:
    state = pool_of("round_robin", weights, Counter())

    assert picked(state, sum(weights)) == {f"s{n}": weight for n, weight in enumerate(weights)}


@given(WEIGHTS, st.integers(0, 3000), st.integers(1, 500))
def test_any_run_of_round_robin_is_close_to_the_weights(weights: list[int], before: int, run: int) -> None:
    state = pool_of("round_robin", weights, Counter())
    picked(state, before)

    counts = picked(state, run)

    for n, weight in enumerate(weights):
        share = run * weight / sum(weights)
        assert abs(counts[f"s{n}"] - share) <= 2 + len(weights) * weight / sum(weights)


@given(SMALL_WEIGHTS, st.sets(st.sampled_from(NAMES)), st.integers(0, 50))
def test_round_robin_is_fair_to_those_that_are_left(weights: list[int], down: set[str], before: int) -> None:
    state = pool_of("round_robin", weights, Counter())
    picked(state, before)
    left = {f"s{n}": weight for n, weight in enumerate(weights) if f"s{n}" not in down}
    for name in down & {f"s{n}" for n in range(len(weights))}:
        state.set_health(name, False)
    rounds = 20

    counts = picked(state, rounds * sum(left.values()))

    for name, weight in left.items():
        assert abs(counts[name] - rounds * weight) <= 2 + len(left) * weight / sum(left.values())


@given(SMALL_WEIGHTS, st.integers(1, 30))
def test_least_connections_fills_servers_in_proportion_to_their_weights(weights: list[int], fills: int) -> None:
    open_now: Counter[str] = Counter()
    state = pool_of("least_connections", weights, open_now)

    for _ in range(fills * sum(weights)):
        open_now[str(state.choose())] += 1

    assert open_now == {f"s{n}": fills * weight for n, weight in enumerate(weights)}


@given(st.integers(1, 7), st.integers(1, 40))
def test_least_connections_takes_idle_servers_in_turn(servers: int, rounds: int) -> None:
    state = pool_of("least_connections", [1] * servers, Counter())

    assert set(picked(state, rounds * servers).values()) == {rounds}


@given(FAIR, SMALL_WEIGHTS, st.integers(0, 1000))
def test_every_fair_policy_fills_servers_nearly_in_proportion(policy: Policy, weights: list[int], seed: int) -> None:
    """Connections that stay: round robin and least connections to within two, two choices to within a few."""
    open_now: Counter[str] = Counter()
    servers = {f"s{n}": Server(address=Endpoint("192.0.2.1", 80), weight=weight) for n, weight in enumerate(weights)}
    chance = Random(seed).random
    state = PoolState(Pool(policy=policy, servers=servers), lambda name: open_now[name], chance=chance)

    for _ in range(10 * sum(weights)):
        open_now[str(state.choose())] += 1

    assert open_now.total() == 10 * sum(weights)
    for n, weight in enumerate(weights):
        assert abs(open_now[f"s{n}"] - 10 * weight) <= (2 if policy != "random" else 6 * weight + 4)


class AnyPool(RuleBasedStateMachine):
    """A pool under arbitrary flips, requests that begin and end, and retries, beside a plain list of what may be."""

    servers: dict[str, Server]
    state: PoolState
    up: set[str]
    admin: dict[str, Admin]
    weights: dict[str, int]
    open_now: Counter[str]

    @initialize(
        policy=POLICIES,
        use_all_backups=st.booleans(),
        settings=st.lists(
            st.tuples(st.integers(0, 5), st.none() | st.integers(1, 4), st.booleans()), min_size=1, max_size=20
        ),
    )
    def start(self, policy: Policy, use_all_backups: bool, settings: list[tuple[int, int | None, bool]]) -> None:
        self.servers = {
            name: Server(address=Endpoint("192.0.2.1", 80), weight=weight, max_connections=limit, backup=backup)
            for name, (weight, limit, backup) in zip(NAMES, settings, strict=False)
        }
        self.up = set(self.servers)
        self.open_now = Counter()
        self.admin = dict.fromkeys(self.servers, "ready")
        self.weights = {name: server.weight for name, server in self.servers.items()}
        self.use_all_backups = use_all_backups
        self.policy = policy
        pool = Pool(policy=policy, servers=self.servers, use_all_backups=use_all_backups, hash=HashSettings(name="x"))
        self.state = PoolState(pool, lambda name: self.open_now[name], chance=Random(1).random)

    def usable(self, excluded: set[str]) -> set[str]:
        """The servers that may take a request now, by the words of the configuration."""
        able = {
            name
            for name, server in self.servers.items()
            if name in self.up - excluded
            and self.admin[name] == "ready"
            and self.weights[name] > 0
            and (server.max_connections is None or self.open_now[name] < server.max_connections)
        }
        primary = {name for name in able if not self.servers[name].backup}
        if primary or self.use_all_backups:
            return primary or able
        return set([name for name in self.servers if name in able][:1])

    @rule(which=st.integers(0, 19), up=st.booleans())
    def flip(self, which: int, up: bool) -> None:
        name = NAMES[which % len(self.servers)]
        assert self.state.set_health(name, up) == (up != (name in self.up))
        self.up = self.up | {name} if up else self.up - {name}

    @rule(which=st.integers(0, 19), admin=st.sampled_from(get_args(Admin)))
    def say(self, which: int, admin: Admin) -> None:
        name = NAMES[which % len(self.servers)]
        assert self.state.set_admin(name, admin) == (admin != self.admin[name])
        self.admin[name] = admin
        assert self.state.takes_persistent(name) == (name in self.up and admin != "maint")

    @rule(which=st.integers(0, 19), weight=st.integers(0, 5))
    def weigh(self, which: int, weight: int) -> None:
        name = NAMES[which % len(self.servers)]
        weight = min(weight, self.servers[name].weight)
        self.state.set_weight(name, weight)
        self.weights[name] = weight

    @rule(excluded=st.sets(st.sampled_from(NAMES), max_size=4), client=st.integers(0, 250))
    def begin(self, excluded: set[str], client: int) -> None:
        usable = self.usable(excluded)
        request = Request(f"192.0.2.{client}", b"/%d?x=%d" % (client, client), b"\nX: %d\r\n" % client)
        chosen = self.state.choose(excluded, request)
        assert chosen in usable if usable else chosen is None
        if chosen:
            self.open_now[chosen] += 1

    @rule(which=st.integers(0, 19))
    def end(self, which: int) -> None:
        name = NAMES[which % len(self.servers)]
        self.open_now[name] = max(0, self.open_now[name] - 1)

    @rule()
    def ask_while_idle(self) -> None:
        """Every usable server is reached; more than two rounds, for least connections may look at some of them late."""
        if self.policy in ("first", "random"):
            return
        busy, self.open_now = self.open_now, Counter()
        idle = self.usable(set())
        reached = {self.state.choose() for _ in range(4 * sum(self.weights[name] for name in idle) + 8)}
        self.open_now = busy
        assert reached - {None} == idle

    @invariant()
    def the_snapshot_agrees(self) -> None:
        usable = {each.name for each in self.state.snapshot().servers if each.usable}
        assert self.usable(set()) <= usable
        assert {each.name for each in self.state.snapshot().servers if each.up} == self.up


AnyPool.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestAnyPool = AnyPool.TestCase
