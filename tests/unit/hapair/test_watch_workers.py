"""The node keeps its workers running and tells each what it needs to know."""

import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from balancer.fieldtypes import Endpoint
from balancer.listener import close_listeners
from balancer.persistence.table import Entry
from balancer.slots import OPEN, Slots
from balancer.standing import Standing
from hapair.config import NodeConfig, load_text, node_view
from hapair.fitness import WorkerState
from hapair.messages import CookieCounts, Drain, FrontendRole, Serve, ServerStanding, Serving, Sources
from hapair.node_persistence import NodePersistence
from hapair.watch_workers import WorkersWatch

TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11}}
frontends:
  web: {listen: ["192.0.2.100:80", "192.0.2.100:81"], pool: web}
pools:
  web: {servers: {web1: "192.0.2.21:80", web2: "192.0.2.22:80"}}
workers: 2
"""
LISTEN = (Endpoint("192.0.2.100", 80), Endpoint("192.0.2.100", 81))
STARTING, SERVING, HUNG, DEAD = WorkerState.STARTING, WorkerState.SERVING, WorkerState.HUNG, WorkerState.DEAD


def config_of(text: str) -> NodeConfig:
    return node_view(load_text(text), "pi-a")


class Stage:
    """A watch under test and what it did."""

    def __init__(self, children: Any, listeners: dict[Endpoint, socket.socket]) -> None:
        config = config_of(TEXT)
        self.children = children
        self.slots = Slots.create(config.balancer, 2)
        self.seen: list[list[WorkerState]] = []
        self.errors: list[tuple[str, ...]] = []
        self.watch = WorkersWatch(config, listeners, self.slots, self._changed, lambda *said: self.errors.append(said))

    def _changed(self) -> None:
        self.seen.append(list(self.watch.states))

    async def serve(self, *workers: int) -> None:
        for worker in workers:
            self.children.started[worker].say(Serving())
            await wait_all_tasks_blocked()


@pytest.fixture
def listeners() -> Iterator[dict[Endpoint, socket.socket]]:
    listeners = {endpoint: socket.create_server(("127.0.0.1", 0)) for endpoint in LISTEN}
    yield listeners
    close_listeners(listeners)


@pytest.fixture
async def stage(children: Any, listeners: dict[Endpoint, socket.socket]) -> AsyncIterator[Stage]:
    stage = Stage(children, listeners)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.watch.run)
        await wait_all_tasks_blocked()
        children.started.sort(key=lambda child: child.name)
        yield stage
        nursery.cancel_scope.cancel()
    for child in children.started:
        for fd in child.fds:
            os.close(fd)
    stage.slots.close()


async def test_as_many_are_started_as_configured(autojump_clock: MockClock, stage: Stage) -> None:
    assert [(child.module, child.name) for child in stage.children.started] == [
        ("hapair.worker", "worker 0"),
        ("hapair.worker", "worker 1"),
    ]
    assert sorted(pid for pid in stage.watch.pids if pid) == [1000, 1001]
    assert stage.watch.states == [STARTING, STARTING]


async def test_each_gets_the_configuration_the_slots_and_every_listening_socket(
    autojump_clock: MockClock, stage: Stage, listeners: dict[Endpoint, socket.socket]
) -> None:
    balancer = config_of(TEXT).balancer
    for index, child in enumerate(stage.children.started):
        assert child.heard == [Serve(index, 2, balancer, LISTEN, ())]
        slots, *sockets = child.fds
        # 2 workers x 12 records (worker, web, web1, web2, 3 of queues, 5 of causes) x 192 bytes
        assert os.fstat(slots).st_size == 7040
        received = [socket.socket(fileno=os.dup(fd)) for fd in sockets]
        ports = [listener.getsockname() for listener in listeners.values()]
        assert [one.getsockname() for one in received] == ports
        for one in received:
            one.close()


async def test_a_worker_that_serves_says_so(autojump_clock: MockClock, stage: Stage) -> None:
    await stage.serve(1)
    assert stage.watch.states == [STARTING, SERVING]
    await stage.serve(0)
    assert stage.seen == [[STARTING, SERVING], [SERVING, SERVING]]


async def test_one_that_dies_is_started_again_at_once_and_the_others_serve_on(
    autojump_clock: MockClock, stage: Stage
) -> None:
    await stage.serve(0, 1)
    stage.children.started[0].die()
    await wait_all_tasks_blocked()
    assert stage.watch.states == [DEAD, SERVING]
    assert [child.name for child in stage.children.started] == ["worker 0", "worker 1", "worker 0"]
    assert stage.children.started[2].started_at == stage.children.started[0].started_at
    assert stage.watch.restarts == 1
    assert stage.watch.pids[0] == 1002
    await stage.serve(2)
    assert stage.watch.states == [SERVING, SERVING]


async def test_one_that_keeps_dying_comes_back_later_and_later(autojump_clock: MockClock, stage: Stage) -> None:
    for _ in range(4):
        stage.children.started[-1].die()
        await trio.sleep(5)
    starts = [child.started_at for child in stage.children.started[1:]]
    assert [round(start - starts[0], 3) for start in starts] == [0.0, 0.0, 5.5, 11.0, 17.0]


async def test_connections_of_a_dead_worker_are_not_counted_as_open(autojump_clock: MockClock, stage: Stage) -> None:
    for worker in (0, 1):
        stage.slots.server(worker, "web", "web1").add(OPEN, 5)
        stage.slots.frontend(worker, "web").add(OPEN, 7)
    stage.children.started[0].die()
    await wait_all_tasks_blocked()
    assert stage.slots.server_counts("web", "web1").open == 5
    assert stage.slots.frontend_counts("web").open == 7


async def test_one_that_hangs_is_killed_and_is_hung_until_its_successor_serves(
    autojump_clock: MockClock, stage: Stage
) -> None:
    await stage.serve(0, 1)
    stage.children.started[1].frozen = True
    await trio.sleep(3)
    assert stage.children.started[1].process.returncode == -9
    assert stage.watch.states == [SERVING, HUNG]
    await stage.serve(2)
    assert stage.watch.states == [SERVING, SERVING]


async def test_a_slow_start_is_no_hang(autojump_clock: MockClock, children: Any, stage: Stage) -> None:
    children.born_frozen = True
    stage.children.started[0].die()
    await trio.sleep(30)
    newcomer = stage.children.started[2]
    assert newcomer.process.returncode is None
    await trio.sleep(3)
    assert newcomer.process.returncode == -9


async def test_health_and_roles_go_to_all_and_to_those_that_come_later(autojump_clock: MockClock, stage: Stage) -> None:
    stage.watch.set_standing("web", "web2", Standing(up=False))
    stage.watch.set_roles([FrontendRole("web", True)])
    await wait_all_tasks_blocked()
    for child in stage.children.started:
        assert child.heard[1:] == [ServerStanding("web", "web2", Standing(up=False)), FrontendRole("web", True)]
    stage.children.started[1].die()
    await wait_all_tasks_blocked()
    newcomer = stage.children.started[2]
    assert newcomer.heard == [
        Serve(1, 2, config_of(TEXT).balancer, LISTEN, (FrontendRole("web", True),)),
        ServerStanding("web", "web2", Standing(up=False)),
    ]


async def test_of_flips_only_the_newest_reaches_a_worker_that_is_slow(autojump_clock: MockClock, stage: Stage) -> None:
    for up in (False, True, False):
        stage.watch.set_standing("web", "web1", Standing(up=up))
    await wait_all_tasks_blocked()
    assert stage.children.started[0].heard[1:] == [ServerStanding("web", "web1", Standing(up=False))]


async def test_roles_are_said_only_when_they_change(autojump_clock: MockClock, stage: Stage) -> None:
    for here in (True, True, False, False):
        stage.watch.set_roles([FrontendRole("web", here)])
        await wait_all_tasks_blocked()
    assert stage.children.started[0].heard[1:] == [FrontendRole("web", True), FrontendRole("web", False)]


async def test_a_stop_drains_all_and_starts_none_again(autojump_clock: MockClock, stage: Stage) -> None:
    await stage.serve(0, 1)
    for child in stage.children.started:
        child.exits_when_it_hears = Drain
    before = trio.current_time()
    await stage.watch.stop(30.0)
    await wait_all_tasks_blocked()
    assert trio.current_time() == before
    assert [child.heard[-1] for child in stage.children.started] == [Drain(30.0), Drain(30.0)]
    assert len(stage.children.started) == 2
    assert stage.watch.restarts == 0


async def test_a_drain_that_does_not_end_is_cut_two_seconds_after_its_limit(
    autojump_clock: MockClock, stage: Stage
) -> None:
    stage.children.started[0].exits_when_it_hears = Drain
    before = trio.current_time()
    await stage.watch.stop(5.0)
    assert trio.current_time() - before == 7.0
    assert [child.process.returncode for child in stage.children.started] == [0, -9]


async def test_a_node_without_frontends_needs_no_workers(children: Any, autojump_clock: MockClock) -> None:
    config = config_of("pair: {nodes: {pi-a: 192.0.2.11}}\nworkers: 2\n")
    slots = Slots.create(config.balancer, 1)
    watch = WorkersWatch(config, {}, slots, lambda: None, lambda *_: None)
    with trio.move_on_after(60):
        await watch.run()
    assert watch.count == 0
    assert watch.states == []
    assert children.started == []
    slots.close()


async def test_each_worker_gets_its_own_socket_for_datagrams(children: Any) -> None:
    config = config_of(TEXT)
    slots = Slots.create(config.balancer, 2)
    dns = Endpoint("127.0.0.1", 53)
    pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for one in pair:
        one.bind(("127.0.0.1", 0))
    watch = WorkersWatch(config, {}, slots, lambda: None, lambda *_: None, datagrams={dns: pair})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await wait_all_tasks_blocked()
        for child in sorted(children.started, key=lambda child: child.name):
            assert child.heard[0].datagrams == (dns,)
            with socket.socket(fileno=os.dup(child.fds[1])) as given:
                assert given.getsockname() == pair[int(child.name[-1])].getsockname()
        nursery.cancel_scope.cancel()
    for child in children.started:
        for fd in child.fds:
            os.close(fd)
    for one in pair:
        one.close()
    slots.close()


async def test_workers_are_told_to_keep_what_transparent_asks_for(children: Any) -> None:
    config = config_of(TEXT.replace("web: {servers:", "web: {transparent: true, servers:"))
    slots = Slots.create(config.balancer, 2)
    watch = WorkersWatch(config, {}, slots, lambda: None, lambda *_: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await wait_all_tasks_blocked()
        assert children.arguments == ("transparent",)
        nursery.cancel_scope.cancel()
    for child in children.started:
        for fd in child.fds:
            os.close(fd)
    slots.close()


def test_more_listening_sockets_than_a_message_carries_are_refused() -> None:
    config = config_of(TEXT)
    with socket.socket() as sock:
        many = {Endpoint("192.0.2.1", port): sock for port in range(1, 251)}
        slots = Slots.create(config.balancer, 1)
        with pytest.raises(ValueError, match=r"^at most 249 listen addresses and log files, not 250$"):
            WorkersWatch(config, many, slots, lambda: None, lambda *_: None)
        slots.close()


async def test_what_one_worker_learns_of_clients_the_others_hear_and_those_that_come_later(
    autojump_clock: MockClock, children: Any, listeners: dict[Endpoint, socket.socket], tmp_path: Path
) -> None:
    config = config_of(TEXT.replace("web: {servers", "web: {persistence: {source: {}, cookie: H}, servers"))
    slots = Slots.create(config.balancer, 2)
    persistence = NodePersistence(config.balancer.pools, None, tmp_path, None)
    watch = WorkersWatch(config, listeners, slots, lambda: None, lambda *_: None, persistence=persistence)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await wait_all_tasks_blocked()
        one, other = sorted(children.started, key=lambda child: str(child.name))
        assert one.heard[0].cookie_key == other.heard[0].cookie_key == persistence.cookie_key
        said = Sources("web", (Entry("192.0.2.7", "web1", 5, time.monotonic()),))
        one.say(said)
        one.say(CookieCounts("web", {"set": 2}))
        await wait_all_tasks_blocked()
        assert (one.heard[-1:], other.heard[1:]) == (one.heard[:1], [said])
        one.die()
        await trio.sleep(5)
        later = children.started[-1]
        assert later.name == one.name
        assert later.heard[1:] == [said]
        [view] = persistence.hub.views()
        assert (view.used, view.cookies) == (1, {"set": 2})
        nursery.cancel_scope.cancel()
    for child in children.started:
        for fd in child.fds:
            os.close(fd)
    slots.close()
