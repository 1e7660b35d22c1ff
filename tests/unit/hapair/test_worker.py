"""What a worker does with each thing that its node may say: a fake engine writes down what it is told."""

import ssl
from collections.abc import Mapping
from typing import Any

import pytest

from balancer.config import BalancerConfig
from balancer.standing import Standing
from balancer.tls.material import Material
from hapair.messages import (
    TO_WORKER,
    Drain,
    ForgetSources,
    FrontendRole,
    Heartbeat,
    LogsReopened,
    Obeyed,
    Order,
    Reload,
    Reloaded,
    Renew,
    Serve,
    ServerStanding,
    Sources,
)
from hapair.worker import _Worker

MATERIAL = Material()
STANDING = Standing(up=False)


RELOAD = Reload(
    serial=7,
    workers=1,
    config=BalancerConfig(frontends={}, pools={}),
    roles=(FrontendRole("web", True),),
    material=MATERIAL,
    new_slots=False,
    listen=(),
    logs=(),
    datagrams=(),
)


class FakeChannel:
    def __init__(self) -> None:
        self.posted: list[object] = []

    def post(self, message: object) -> None:
        self.posted.append(message)


class FakeEngine:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.refuses = False

    def activate(self, frontend: str) -> None:
        self.told.append(("activate", frontend))

    def stand_by(self, frontend: str, *, lives_on: bool) -> None:
        self.told.append(("stand_by", frontend, lives_on))

    def set_standing(self, pool: str, server: str, standing: Standing) -> None:
        self.told.append(("set_standing", pool, server, standing))

    def replace_log(self, path: str, fd: int) -> None:
        self.told.append(("replace_log", path, fd))

    def leave_sockets(self) -> None:
        self.told.append(("leave_sockets",))

    async def drain(self, limit_s: float) -> None:
        self.told.append(("drain", limit_s))

    def apply(self, config: Any, listeners: Any, material: Any, logs: Any, datagrams: Any, slots: Any) -> None:
        if self.refuses:
            raise ssl.SSLError("no")
        self.told.append(("apply", listeners, logs, datagrams, slots))

    worker_index = 0

    def acceptors(self, frontend: str | None = None) -> list[Any]:
        self.told.append(("acceptors", frontend))
        return []

    def renew(self, material: Material) -> None:
        if self.refuses:
            raise ssl.SSLError("no")
        self.told.append(("renew", material))


class FakeTeller:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def hear(self, message: Any) -> None:
        self.heard.append(message)


SOURCES, FORGET = Sources("web", ()), ForgetSources("web", None)
CASES: Mapping[type, tuple[Any, list[int], list[tuple[Any, ...]]]] = {
    FrontendRole: (FrontendRole("web", False, lives_on=True), [], [("stand_by", "web", True)]),
    ServerStanding: (ServerStanding("web", "one", STANDING), [], [("set_standing", "web", "one", STANDING)]),
    LogsReopened: (LogsReopened(("/a", "/b")), [7, 8], [("replace_log", "/a", 7), ("replace_log", "/b", 8)]),
    Renew: (Renew(MATERIAL), [], [("renew", MATERIAL)]),
    Drain: (Drain(2.5, has_successor=True), [], [("leave_sockets",), ("drain", 2.5)]),
    Order: (Order(serial=5, what="pause", frontend="web"), [], [("acceptors", "web")]),
    Reload: (RELOAD, [], [("apply", {}, {}, {}, None), ("activate", "web")]),
    Sources: (SOURCES, [], []),
    ForgetSources: (FORGET, [], []),
}


@pytest.mark.parametrize("kind", CASES)
async def test_the_engine_is_told(kind: type) -> None:
    message, fds, told = CASES[kind]
    engine = FakeEngine()
    channel, teller = FakeChannel(), FakeTeller()
    worker = _Worker(channel, engine, 1.0, teller)  # type: ignore[arg-type]
    if (rest := worker._handle(message, fds)) is not None:
        await rest
    assert engine.told == told
    answers = {Reload: [Reloaded(7)], Order: [Obeyed(5)]}
    assert channel.posted == answers.get(kind, [])
    assert teller.heard == ([message] if kind in (Sources, ForgetSources) else [])
    assert worker._stopping.cancel_called == (kind is Drain)


def test_whatever_a_node_may_say_is_among_these() -> None:
    first, answered_elsewhere = Serve, Heartbeat
    assert set(CASES) == set(TO_WORKER) - {first, answered_elsewhere}


async def test_certificates_that_are_not_taken_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    engine = FakeEngine()
    engine.refuses = True
    _Worker(None, engine, 1.0, FakeTeller())._handle(Renew(MATERIAL), [])  # type: ignore[arg-type]
    assert [record.message for record in caplog.records] == ["certificates not renewed"]


async def test_a_reload_whose_certificates_are_not_taken_is_answered_with_the_reason() -> None:
    engine, channel = FakeEngine(), FakeChannel()
    engine.refuses = True
    _Worker(channel, engine, 1.0, FakeTeller())._handle(RELOAD, [])  # type: ignore[arg-type]
    assert engine.told == []
    assert channel.posted == [Reloaded(7, "certificates: ('no',)")]
