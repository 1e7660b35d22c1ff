"""What people order of traffic: on real sockets, with workers that are fakes and do as they are told."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest
import trio
import trio.testing

from balancer.config import BalancerConfig, Frontend
from balancer.evidence import Evidence
from balancer.fieldtypes import Endpoint
from balancer.testing import config_for
from hapair.changes.change import Change
from hapair.messages import Obeyed, Order
from hapair.node_traffic import NodeTraffic, NotPossible, SaidOfFrontend
from hapair.ordering import Orders
from tests.unit.hapair.admin.sample import NODE


class Stage:
    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.socket = socket.create_server(("127.0.0.1", port), backlog=10)  # by its number: else it is not kept
        self.endpoint = Endpoint("127.0.0.1", self.socket.getsockname()[1])
        self.config = self.configured()
        self.orders = Orders()
        self.heard: list[tuple[str, str, int]] = []
        self.count = 1
        self.orders.greet("worker", self.post)
        self.traffic = NodeTraffic(self.config, self.orders, lambda: {self.endpoint: self.socket})

    def keeping(self, said: SaidOfFrontend) -> NodeTraffic:
        """One that has somebody keep what is said."""
        self.traffic = NodeTraffic(self.config, self.orders, lambda: {self.endpoint: self.socket}, said=said)
        return self.traffic

    def configured(self, **different: object) -> BalancerConfig:
        one = config_for({"one": self.endpoint}, listen=str(self.endpoint))
        (frontend,) = one.frontends.values()
        udp = Frontend(listen=(Endpoint("127.0.0.1", 53),), mode="udp", pool="pool")
        return replace(one, frontends={"web": replace(frontend, **different), "dns": udp})  # type: ignore[arg-type]

    def post(self, message: object) -> None:
        assert isinstance(message, Order)
        self.heard.append((message.what, message.frontend, message.number))
        self.orders.heard("worker", Obeyed(message.serial, self.count))

    def connect(self) -> str:
        try:
            socket.create_connection(("127.0.0.1", self.endpoint.port), 5).close()
        except ConnectionRefusedError:
            return "refused"
        return "connected"

    def standing(self) -> list[tuple[str, str, int]]:
        """What a new worker is told."""
        before, self.heard = self.heard, []
        self.orders.greet("another", self.post)
        told, self.heard = self.heard, before
        self.orders.gone("another")
        return told


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.socket.close()


async def test_a_disabled_frontend_refuses_and_an_enabled_one_does_not(stage: Stage) -> None:
    await stage.traffic.disable("web")
    assert (stage.connect(), stage.traffic.is_disabled("web")) == ("refused", True)
    assert stage.heard == [("pause", "web", 0)]
    assert stage.standing() == [("pause", "web", 0)]
    await stage.traffic.enable("web")
    assert (stage.connect(), stage.traffic.is_disabled("web")) == ("connected", False)
    assert stage.heard[1:] == [("resume", "web", 0)]
    assert stage.standing() == []


async def test_it_stays_so_over_a_reload(stage: Stage) -> None:
    await stage.traffic.disable("web")
    stage.socket.listen(10)  # as after a reload that opened it anew
    stage.traffic.reload(stage.configured(max_connections=7))
    assert stage.connect() == "refused"
    stage.traffic.reload(replace(stage.config, frontends={}))
    assert not stage.traffic.is_disabled("web")


async def test_frontends_of_datagrams_cannot_be_disabled(stage: Stage) -> None:
    with pytest.raises(NotPossible, match="mode udp cannot be disabled"):
        await stage.traffic.disable("dns")


async def test_its_port_may_be_taken_meanwhile(stage: Stage) -> None:
    stage.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    await stage.traffic.disable("web")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", stage.endpoint.port))
        other.listen(1)
        with pytest.raises(NotPossible, match="taken by another program"):
            await stage.traffic.enable("web")
    assert stage.traffic.is_disabled("web")
    await stage.traffic.enable("web")
    assert stage.connect() == "connected"


async def test_a_limit_holds_until_the_file_has_another(stage: Stage) -> None:
    await stage.traffic.limit("web", 7)
    assert stage.heard == [("limit", "web", 7)]
    stage.traffic.reload(stage.configured())
    assert stage.standing() == [("limit", "web", 7)]
    stage.traffic.reload(stage.configured(max_connections=8))
    assert stage.standing() == []


async def test_what_workers_answer_is_added_up(stage: Stage) -> None:
    stage.orders.greet("second", lambda order: stage.orders.heard("second", Obeyed(order.serial, 2)))  # type: ignore[attr-defined]
    assert await stage.traffic.end_session(5) == 3
    assert await stage.traffic.end_sessions("pool", "one") == 3
    assert await stage.traffic.sessions() == []
    assert [what for what, _, _ in stage.heard] == ["end", "end_server", "list"]


async def test_it_is_seen(stage: Stage) -> None:
    assert stage.traffic.seen(NODE) is NODE
    await stage.traffic.disable("web")
    await stage.traffic.limit("web", 7)
    seen = stage.traffic.seen(NODE)
    (web,) = (one for one in seen.frontends if one.name == "web")
    assert (web.disabled, web.max_connections) == (True, 7)
    assert seen.warnings[0] == "frontends that somebody disabled: web"


async def test_of_what_each_worker_met_the_last_is_told(stage: Stage) -> None:
    def met(at: float, kind: Literal["request", "response"] = "request", pool: str = "") -> Evidence:
        return Evidence(
            kind=kind, frontend="web", pool=pool, client="192.0.2.1", port=7, at=at, number=0, reason="", position=0,
            size=0, data=b"",
        )  # fmt: skip

    kept = {"one": (met(3.0), met(1.0, "response", "a")), "two": (met(2.0), met(4.0, "response", "a"))}
    for name, errors in kept.items():

        def post(message: object, name: str = name, errors: tuple[Evidence, ...] = errors) -> None:
            assert isinstance(message, Order)
            stage.orders.heard(name, Obeyed(message.serial, 5, errors=errors))

        stage.orders.greet(name, post)
    stage.orders.gone("worker")
    count, told = await stage.traffic.errors()
    assert (count, [(one.kind, one.at) for one in told]) == (10, [("request", 3.0), ("response", 4.0)])


def heard(what: Any, value: Any, frontend: str = "web") -> Change:
    return Change(what=what, pool=frontend, server="", value=value, at=1, node="pi-b", by="")


async def test_what_is_said_here_is_told(stage: Stage) -> None:
    told: list[tuple[object, ...]] = []
    traffic = stage.keeping(lambda *what, local: told.append((*what, local)))
    await traffic.disable("web")
    await traffic.enable("web", local=True)
    await traffic.limit("web", 7)
    assert told == [
        ("disabled", "web", True, False),
        ("disabled", "web", False, True),
        ("frontend_limit", "web", 7, False),
    ]
    with pytest.raises(NotPossible):
        await traffic.disable("dns")
    assert len(told) == 3


async def test_what_was_said_before_this_start_or_on_the_peer_is_carried_out(stage: Stage) -> None:
    told: list[object] = []
    traffic = stage.keeping(lambda *what, local: told.append(what))
    for change in (heard("disabled", True), heard("frontend_limit", 7), heard("disabled", True, "gone")):
        traffic.heard(change)
    # a worker that starts now is told at once
    assert stage.standing() == [("pause", "web", 0), ("limit", "web", 7)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(traffic.run)
        await trio.testing.wait_all_tasks_blocked()
        assert (stage.connect(), stage.heard) == ("refused", [("pause", "web", 0), ("limit", "web", 7)])
        traffic.heard(heard("disabled", False))
        traffic.heard(heard("frontend_limit", None))
        await trio.testing.wait_all_tasks_blocked()
        assert (stage.connect(), stage.heard[2:]) == ("connected", [("resume", "web", 0), ("limit", "web", 9000)])
        nursery.cancel_scope.cancel()
    assert (stage.standing(), told) == ([], [])


async def test_what_does_not_fit_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.traffic.run)
        stage.traffic.heard(heard("disabled", True, "dns"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [record.message for record in caplog.records] == ["a change does not fit this node"]
    assert not stage.traffic.is_disabled("dns")
