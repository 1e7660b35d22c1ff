"""What a worker does with each thing that its node may say: a fake engine writes down what it is told."""

import ssl
from collections.abc import Mapping
from typing import Any

import pytest

from balancer.standing import Standing
from balancer.tls.material import Material
from hapair.messages import (
    TO_WORKER,
    Drain,
    FrontendRole,
    Heartbeat,
    LogsReopened,
    Renew,
    Serve,
    ServerStanding,
)
from hapair.worker import _Worker

MATERIAL = Material()
STANDING = Standing(up=False)


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

    def renew(self, material: Material) -> None:
        if self.refuses:
            raise ssl.SSLError("no")
        self.told.append(("renew", material))


CASES: Mapping[type, tuple[Any, list[int], list[tuple[Any, ...]]]] = {
    FrontendRole: (FrontendRole("web", False, lives_on=True), [], [("stand_by", "web", True)]),
    ServerStanding: (ServerStanding("web", "one", STANDING), [], [("set_standing", "web", "one", STANDING)]),
    LogsReopened: (LogsReopened(("/a", "/b")), [7, 8], [("replace_log", "/a", 7), ("replace_log", "/b", 8)]),
    Renew: (Renew(MATERIAL), [], [("renew", MATERIAL)]),
    Drain: (Drain(2.5), [], []),
}


@pytest.mark.parametrize("kind", CASES)
async def test_the_engine_is_told(kind: type) -> None:
    message, fds, told = CASES[kind]
    engine = FakeEngine()
    worker = _Worker(None, engine, 1.0)  # type: ignore[arg-type]
    worker._handle(message, fds)
    assert engine.told == told
    assert worker._stopping.cancel_called == (kind is Drain)


def test_whatever_a_node_may_say_is_among_these() -> None:
    first, answered_elsewhere = Serve, Heartbeat
    assert set(CASES) == set(TO_WORKER) - {first, answered_elsewhere}


async def test_certificates_that_are_not_taken_change_nothing(caplog: pytest.LogCaptureFixture) -> None:
    engine = FakeEngine()
    engine.refuses = True
    _Worker(None, engine, 1.0)._handle(Renew(MATERIAL), [])  # type: ignore[arg-type]
    assert [record.message for record in caplog.records] == ["certificates not renewed"]
