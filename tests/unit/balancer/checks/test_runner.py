"""The runner with a fake probe, under a clock that jumps."""

from collections import Counter
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from balancer.checks.agent_words import AgentWords
from balancer.checks.probes import ProbeResult
from balancer.checks.runner import UNCHECKED, CheckRunner, ServerHealth
from balancer.config import Check, Pool, Server
from balancer.config_checks import AgentCheck
from balancer.fieldtypes import Endpoint
from balancer.serverstate import ServerState
from balancer.standing import Place, Standing

CHECK = Check(interval_s=2.0, fast_interval_s=0.5, rise=2, fall=3)
OK = ProbeResult(True, "connected", 0.001)
REFUSED = ProbeResult(False, "connection refused", 0.001)


class Servers:
    """Answers probes by port, in no time unless told otherwise; remembers when each was probed."""

    def __init__(self) -> None:
        self.results: dict[int, ProbeResult] = {}
        self.takes_s: dict[int, float] = {}
        self.probed_at: dict[int, list[float]] = {}

    async def probe(self, pool: str, server: str, check: Check, endpoint: Endpoint, preamble: bytes) -> ProbeResult:
        self.probed_at.setdefault(endpoint.port, []).append(trio.current_time())
        await trio.sleep(self.takes_s.get(endpoint.port, 0))
        return self.results.get(endpoint.port, OK)


class Flips(list[tuple[str, str, bool, str]]):
    def __call__(self, pool: str, server: str, before: ServerState, after: ServerState) -> None:
        if before.up != after.up:
            self.append((pool, server, after.up, after.flip_reason))


@pytest.fixture
def servers() -> Servers:
    return Servers()


@pytest.fixture
def flips() -> Flips:
    return Flips()


def pool(*ports: int, check: Check | None = CHECK) -> Pool:
    return Pool(check=check, servers={f"s{port}": Server(address=Endpoint("192.0.2.1", port)) for port in ports})


def runner_of(servers: Servers, flips: Flips, **pools: Pool) -> CheckRunner:
    return CheckRunner(pools, flips, seed=1, probe=servers.probe)


async def start(nursery: trio.Nursery, servers: Servers, flips: Flips, **pools: Pool) -> CheckRunner:
    runner = runner_of(servers, flips, **pools)
    nursery.start_soon(runner.run)
    return runner


async def test_only_flips_are_told(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    await start(nursery, servers, flips, web=pool(1, 2))
    await trio.sleep(20)
    assert flips == []

    servers.results[2] = REFUSED
    await trio.sleep(20)
    assert flips == [("web", "s2", False, "connection refused")]

    servers.results[2] = OK
    await trio.sleep(20)
    assert flips == [("web", "s2", False, "connection refused"), ("web", "s2", True, "connected")]


async def test_a_server_that_is_dead_from_the_start_is_down_after_one_probe(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    servers.results[1] = REFUSED
    await start(nursery, servers, flips, web=pool(1))
    await trio.sleep(0.1)

    assert flips == [("web", "s1", False, "connection refused")]
    assert len(servers.probed_at[1]) == 1


async def test_every_server_is_probed_at_its_interval(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    slow = Check(interval_s=10.0)
    await start(nursery, servers, flips, web=pool(1, 2), api=pool(3, check=slow))
    await trio.sleep(100.2)

    probes = Counter({port: len(instants) for port, instants in servers.probed_at.items()})
    assert probes[1] == pytest.approx(51, abs=2)
    assert probes[2] == pytest.approx(51, abs=2)
    assert probes[3] == pytest.approx(10, abs=1)


async def test_first_probes_are_staggered_over_all_pools(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    await start(nursery, servers, flips, web=pool(1, 2), api=pool(3, 4))
    start_at = trio.current_time()
    await trio.sleep(0.45)

    first = [servers.probed_at[port][0] - start_at for port in (1, 2, 3, 4)]
    assert first == pytest.approx([0.0, 0.125, 0.25, 0.375])


async def test_a_slow_server_delays_no_other(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    servers.takes_s[1] = 1000.0
    await start(nursery, servers, flips, web=pool(1, 2))
    await trio.sleep(100)

    assert len(servers.probed_at[1]) == 1
    assert len(servers.probed_at[2]) == pytest.approx(50, abs=3)


async def test_a_probe_longer_than_the_interval_is_followed_at_once_and_never_overlaps(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    servers.takes_s[1] = 5.0
    await start(nursery, servers, flips, web=pool(1))
    start_at = trio.current_time()
    await trio.sleep(14)

    assert [at - start_at for at in servers.probed_at[1]] == [0.0, 5.0, 10.0]


async def test_a_probe_that_could_not_be_made_changes_no_health(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    no_descriptors = ProbeResult(None, "too many open files", 0.0)
    servers.results[1] = no_descriptors
    runner = await start(nursery, servers, flips, web=pool(1))
    await trio.sleep(20)

    assert flips == []
    assert runner.snapshot()["web"]["s1"].text == "UP 1/3"
    assert runner.snapshot()["web"]["s1"].last_result == no_descriptors


async def test_the_same_server_in_two_pools_has_two_healths(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    servers.results[1] = REFUSED
    runner = await start(nursery, servers, flips, web=pool(1), api=pool(1, check=None))
    await trio.sleep(20)

    assert flips == [("web", "s1", False, "connection refused")]
    assert (runner.snapshot()["web"]["s1"].up, runner.snapshot()["api"]["s1"].up) == (False, True)


def test_snapshot_before_the_first_probe(servers: Servers, flips: Flips) -> None:
    runner = runner_of(servers, flips, web=pool(1), api=pool(2, check=None))

    assert runner.snapshot() == {
        "web": {"s1": ServerHealth(True, "UP 1/3", None, None, "", None, count=2)},
        "api": {"s2": UNCHECKED},
    }


async def test_snapshot_after_a_flip(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    runner = await start(nursery, servers, flips, web=pool(1))
    start_at = trio.current_time()
    servers.results[1] = REFUSED
    await trio.sleep(1)

    expected = ServerHealth(
        False, "DOWN", REFUSED, start_at, "connection refused", start_at,
        failed_probes=1, downs=1, down_at=start_at, count=0,
    )  # fmt: skip
    assert runner.snapshot() == {"web": {"s1": expected}}


async def test_without_checks_there_is_nothing_to_look_at(
    servers: Servers, flips: Flips, autojump_clock: MockClock
) -> None:
    with trio.move_on_after(60):
        await runner_of(servers, flips, web=pool(1, check=None)).run()

    assert servers.probed_at == {}


async def test_a_reload_keeps_what_is_known_and_probes_on(
    servers: Servers, flips: Flips, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    servers.results[1] = REFUSED
    runner = runner_of(servers, flips, web=pool(1, 2))
    nursery.start_soon(runner.run)
    await trio.sleep(10)
    assert runner.snapshot()["web"]["s1"].text == "DOWN"
    runner.administer("web", "s2", "drain", by="a person")
    probed = len(servers.probed_at[1])
    runner.reload({"web": pool(1, 2, 3), "api": pool(4)})
    assert runner.snapshot()["web"]["s1"].text == "DOWN"
    assert runner.snapshot()["web"]["s2"].admin == "drain"
    await trio.sleep(10)
    assert len(servers.probed_at[1]) > probed
    assert set(servers.probed_at) == {1, 2, 3, 4}
    assert len(flips) == 1


async def test_after_a_reload_nobody_looks_at_who_is_gone(
    servers: Servers, flips: Flips, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    runner = runner_of(servers, flips, web=pool(1, 2))
    nursery.start_soon(runner.run)
    await trio.sleep(5)
    runner.reload({"web": pool(2, check=replace(CHECK, interval_s=1.0))})
    gone, probed = len(servers.probed_at[1]), len(servers.probed_at[2])
    await trio.sleep(10)
    assert len(servers.probed_at[1]) == gone
    assert len(servers.probed_at[2]) >= probed + 9
    assert runner.snapshot() == {"web": {"s2": runner.snapshot()["web"]["s2"]}}


async def test_a_check_is_nobodys_connection(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    sent: list[bytes] = []

    async def probe(pool: str, server: str, check: Check, endpoint: Endpoint, preamble: bytes) -> ProbeResult:
        sent.append(preamble)
        return OK

    runner = CheckRunner({"web": replace(pool(1), send_proxy="v1")}, Flips(), seed=1, probe=probe)
    nursery.start_soon(runner.run)
    await trio.sleep(3)
    assert set(sent) == {b"PROXY UNKNOWN\r\n"}


async def test_in_maintenance_nothing_is_probed_and_then_at_once(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    runner = await start(nursery, servers, flips, web=pool(1))
    await trio.sleep(5.1)
    probes = len(servers.probed_at[1])

    runner.administer("web", "s1", "maint", by="a test")
    await trio.sleep(60)
    assert len(servers.probed_at[1]) == probes
    health = runner.snapshot()["web"]["s1"]
    assert (health.admin, health.serves, health.flip_reason) == ("maint", False, "MAINT by a test")

    runner.administer("web", "s1", "ready", by="a test")
    await trio.sleep(0.01)
    assert len(servers.probed_at[1]) == probes + 1


async def test_a_verdict_that_comes_in_maintenance_counts_for_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    servers.takes_s[1], servers.results[1] = 1.0, REFUSED
    runner = await start(nursery, servers, flips, web=pool(1))
    await trio.sleep(0.5)
    runner.administer("web", "s1", "maint", by="a test")
    await trio.sleep(5)

    assert flips == []
    assert runner.snapshot()["web"]["s1"].last_result is None


async def test_errors_of_real_traffic_bring_the_next_probe_forward(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    check = Check(interval_s=60.0, fast_interval_s=1.0, observe="layer4")
    runner = await start(nursery, servers, flips, web=pool(1, check=check), api=pool(2, check=None))
    await trio.sleep(5)
    started_at = trio.current_time()
    runner.errors_observed("web", "s1", "3 errors in a row")
    runner.errors_observed("api", "s2", "3 errors in a row")
    assert (runner.snapshot()["web"]["s1"].text, runner.snapshot()["api"]["s2"].text) == ("UP 2/3", "no check")
    await trio.sleep(5)

    assert servers.probed_at[1][1] == pytest.approx(started_at + 1.0)
    assert flips == []


async def test_an_agent_is_asked_and_its_words_are_known(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers
) -> None:
    said: list[AgentWords | str] = [
        AgentWords(admin="maint"), "the agent did not answer in time", AgentWords(admin="ready", percent=50, text="x"),
    ]  # fmt: skip
    asked: list[Endpoint] = []
    changes: list[Standing] = []

    async def ask(agent: AgentCheck, endpoint: Endpoint) -> AgentWords | str:
        asked.append(endpoint)
        return said.pop(0) if len(said) > 1 else said[0]

    def changed(pool: str, server: str, before: ServerState, after: ServerState) -> None:
        changes.append(after.standing(after.returned_at or 0.0))

    web = replace(pool(1), agent=AgentCheck(port=99))
    web = replace(web, servers={"s1": replace(web.servers["s1"], weight=10)})
    runner = CheckRunner({"web": web}, changed, seed=1, probe=servers.probe, ask=ask)
    nursery.start_soon(runner.run)
    await trio.sleep(3)
    assert changes == [Standing(admin="maint")]
    assert runner.snapshot()["web"]["s1"].agent_text == "the agent did not answer in time"

    await trio.sleep(2)
    assert changes[-1] == Standing(weight=5, age_s=0.0)
    assert runner.snapshot()["web"]["s1"].agent_text == "x"
    assert set(asked) == {Endpoint("192.0.2.1", 99)}
    assert len(servers.probed_at[1]) >= 1


async def test_where_checks_and_agents_go(nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers) -> None:
    asked: list[Endpoint] = []

    async def ask(agent: AgentCheck, endpoint: Endpoint) -> AgentWords | str:
        asked.append(endpoint)
        return "nothing"

    server = Server(
        address=Endpoint("192.0.2.1", 80),
        check_address=Endpoint("192.0.2.9", 81),
        agent_address=Endpoint("192.0.2.9", 82),
    )
    web = Pool(servers={"s1": server}, check=CHECK, agent=AgentCheck())
    nursery.start_soon(CheckRunner({"web": web}, lambda *_: None, probe=servers.probe, ask=ask).run)
    await trio.sleep(1)

    assert (list(servers.probed_at), asked) == ([81], [Endpoint("192.0.2.9", 82)])


async def test_what_workers_must_be_told_at_the_start(servers: Servers, flips: Flips) -> None:
    runner = runner_of(servers, flips, web=pool(1, check=Check(initial="down")), api=pool(2))

    assert list(runner.standings(0.0)) == [("web", "s1", Standing(up=False))]


async def test_a_weight_is_told_and_one_that_is_none_is_refused(servers: Servers) -> None:
    changes: list[int | None] = []
    runner = CheckRunner({"web": pool(1)}, lambda pool, server, before, after: changes.append(after.weight))

    assert runner.weigh("web", "s1", 7).weight == 7
    runner.weigh("web", "s1", 7)
    assert changes == [7]
    with pytest.raises(ValueError, match="from 0 to 256"):
        runner.weigh("web", "s1", 300)
    with pytest.raises(KeyError):
        runner.weigh("web", "s9", 1)


async def test_health_and_a_limit_by_somebodys_word(servers: Servers, flips: Flips) -> None:
    runner = runner_of(servers, flips, web=pool(1), api=pool(2, check=None))

    assert runner.force_health("web", "s1", "down", by="a test").text == "DOWN"
    known = runner.snapshot()["web"]["s1"]
    assert (known.up, known.downs, known.count, known.flip_reason) == (False, 1, 0, "DOWN by a test")
    assert runner.limit("web", "s1", 5).max_connections == 5
    assert runner.snapshot()["web"]["s1"].max_connections == 5
    with pytest.raises(ValueError, match="not enabled"):
        runner.force_health("api", "s2", "up", by="a test")


async def test_checks_that_somebody_stopped_go_on_when_they_are_wanted_again(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    runner = await start(nursery, servers, flips, web=pool(1), api=pool(2, check=None))
    await trio.sleep(1)
    runner.watch("web", "s1", checks=False)
    await trio.sleep(100)
    stopped_after = len(servers.probed_at[1])
    await trio.sleep(100)
    assert len(servers.probed_at[1]) == stopped_after
    runner.watch("web", "s1", checks=True)
    await trio.sleep(0.1)
    assert len(servers.probed_at[1]) == stopped_after + 1
    with pytest.raises(ValueError, match="cannot enable"):
        runner.watch("api", "s2", checks=True)
    with pytest.raises(ValueError, match="cannot enable"):
        runner.watch("web", "s1", agent=True)


async def test_an_agent_that_somebody_stopped_is_not_asked_and_a_word_for_it_holds(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers
) -> None:
    asked = []

    async def ask(agent: AgentCheck, endpoint: Endpoint) -> AgentWords | str:
        asked.append(trio.current_time())
        return AgentWords(health="up", text="up")

    web = Pool(servers={"s1": Server(address=Endpoint("192.0.2.1", 80))}, agent=AgentCheck(port=81))
    runner = CheckRunner({"web": web}, lambda *_: None, probe=servers.probe, ask=ask)
    nursery.start_soon(runner.run)
    await trio.sleep(1)
    runner.watch("web", "s1", agent=False)
    assert not runner.force_agent("web", "s1", False).up
    await trio.sleep(10)
    assert (len(asked), runner.snapshot()["web"]["s1"].up) == (1, False)
    runner.watch("web", "s1", agent=True)
    await trio.sleep(3)
    assert runner.snapshot()["web"]["s1"].up


async def test_checks_follow_a_server_that_is_known_by_its_name(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    named = Pool(check=CHECK, servers={"app": Server(address=Endpoint("app.internal", 80))})
    runner = await start(nursery, servers, flips, web=named)
    [(_, _, standing)] = runner.standings(0.0)
    assert standing == Standing(resolved=False)
    await trio.sleep(10)
    assert servers.probed_at == {}
    known = runner.snapshot()["web"]["app"]
    assert (known.serves, known.text) == (False, "MAINT (resolution)")

    servers.results[81] = REFUSED
    found_at = trio.current_time()
    runner.place("web", "app", Place(Endpoint("192.0.2.1", 80)))
    await trio.sleep(0.1)
    assert servers.probed_at == {80: [found_at]}

    moved_at = trio.current_time()
    runner.place("web", "app", Place(Endpoint("192.0.2.1", 81)))
    await trio.sleep(0.1)
    assert servers.probed_at[81] == [moved_at]
    assert flips == [("web", "app", False, "connection refused")]

    runner.place("web", "app", None, trouble="NXDOMAIN: nobody knows app.internal")
    seen = len(servers.probed_at[81])
    await trio.sleep(10)
    assert len(servers.probed_at[81]) == seen
    assert runner.snapshot()["web"]["app"].resolution == "NXDOMAIN: nobody knows app.internal"


async def test_a_probe_of_where_a_server_was_says_nothing_of_where_it_is(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    named = Pool(check=CHECK, servers={"app": Server(address=Endpoint("app.internal", 80))})
    servers.takes_s[80], servers.results[80] = 1.0, REFUSED
    runner = await start(nursery, servers, flips, web=named)
    runner.place("web", "app", Place(Endpoint("192.0.2.1", 80)))
    await trio.sleep(0.5)
    runner.place("web", "app", Place(Endpoint("192.0.2.1", 81)))
    await trio.sleep(10)
    assert flips == []


async def test_an_agent_is_not_asked_where_nobody_is(
    nursery: trio.Nursery, autojump_clock: MockClock, servers: Servers, flips: Flips
) -> None:
    asked: list[Endpoint] = []

    async def ask(agent: AgentCheck, endpoint: Endpoint) -> AgentWords | str:
        asked.append(endpoint)
        return "silence"

    named = Pool(agent=AgentCheck(port=99), servers={"app": Server(address=Endpoint("app.internal", 80))})
    runner = CheckRunner({"web": named}, flips, probe=servers.probe, ask=ask)
    nursery.start_soon(runner.run)
    await trio.sleep(0.1)
    assert asked == []
    runner.place("web", "app", Place(Endpoint("192.0.2.1", 80)))
    await trio.sleep(5)
    assert set(asked) == {Endpoint("192.0.2.1", 99)}


async def test_a_server_is_moved_by_somebody_unless_its_name_says_where_it_is() -> None:
    by_name = Server(address=Endpoint.parse_server("app.internal:80"))
    servers = {"web1": Server(address=Endpoint("192.0.2.1", 80)), "web2": by_name}
    told: list[tuple[str, str]] = []
    runner = CheckRunner({"web": Pool(servers=servers)}, lambda pool, server, *_: told.append((pool, server)))
    state = runner.move("web", "web1", Endpoint("192.0.2.9", 81))
    assert state.standing(0.0).place == Place(Endpoint("192.0.2.9", 81))
    assert told == [("web", "web1")]
    with pytest.raises(ValueError, match="what its name resolves to"):
        runner.move("web", "web2", Endpoint("192.0.2.9", 81))
    with pytest.raises(KeyError):
        runner.move("web", "web3", Endpoint("192.0.2.9", 81))


async def test_a_server_that_is_forgotten_begins_anew() -> None:
    pools = {"web": Pool(servers={"a": Server(address=Endpoint("192.0.2.1", 80))}, check=Check())}
    runner = CheckRunner(pools, lambda *_: None)
    runner.administer("web", "a", "maint", by="me")
    runner.forget("web", "a")
    runner.forget("web", "b")
    runner.reload(pools)
    assert runner.snapshot()["web"]["a"].admin == "ready"
    assert list(runner.standings(0.0)) == []
    assert list(runner.standings(0.0, [("web", "a")])) == [("web", "a", Standing())]
