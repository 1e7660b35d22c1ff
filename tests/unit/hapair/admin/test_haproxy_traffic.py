"""HAProxy's commands for frontends and connections. The refusals are what HAProxy 2.6.12 says."""

from typing import Any

import pytest

from balancer.clients import Session
from balancer.config import Frontend
from balancer.evidence import Evidence
from balancer.fieldtypes import Endpoint
from hapair.admin.haproxy_cli import HaproxyCli
from hapair.admin.haproxy_traffic import TrafficCommands
from hapair.admin.rates import Rates
from hapair.admin.surfaces import Surfaces
from hapair.node_traffic import NotPossible
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE

SESSIONS = [
    Session(id=0x1000000000ABC, frontend="web", client="192.0.2.9", port=1234, age_s=65.2, pool="web", server="web1"),
    Session(id=0xDEF, frontend="web", client="2001:db8::9", port=5, age_s=7261.0),
    Session(id=0x111, frontend="web", client="", port=0, age_s=0.4),
]


class FakeTraffic:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.disabled = False

    def frontends(self) -> dict[str, Frontend]:
        return {"web": Frontend(listen=(Endpoint("192.0.2.1", 80),), pool="web")}

    def is_disabled(self, frontend: str) -> bool:
        return self.disabled

    async def disable(self, frontend: str) -> None:
        self.told.append(("disable", frontend))
        self.disabled = True

    async def enable(self, frontend: str) -> None:
        if ("enable", frontend) in self.told:
            raise NotPossible("its port was taken by another program meanwhile")
        self.told.append(("enable", frontend))

    async def limit(self, frontend: str, max_connections: int) -> None:
        self.told.append(("limit", frontend, max_connections))

    async def sessions(self) -> list[Session]:
        return SESSIONS

    async def end_session(self, session: int) -> int:
        self.told.append(("end", session))
        return int(session == 0xDEF)

    async def errors(self) -> tuple[int, list[Evidence]]:
        return 0, []

    async def end_sessions(self, pool: str, server: str) -> int:
        self.told.append(("end_sessions", pool, server))
        return 2


async def say(traffic: FakeTraffic, *commands: str) -> list[str]:
    surfaces = Surfaces(lambda: NODE, Rates(), lambda: 100.0, started_at=1_700_000_000.0)
    cli = HaproxyCli(surfaces, Recorder(), {}, more=TrafficCommands(traffic, lambda: NODE).commands())
    return [await cli.answer(command) for command in commands]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("disable frontend", "A frontend name is expected.\n"),
        ("disable frontend nope", "No such frontend.\n"),
        ("enable frontend web", "All sockets are already enabled.\n"),
        ("enable frontend nope", "No such frontend.\n"),
        ("set maxconn frontend", "A frontend name is expected.\n"),
        ("set maxconn frontend nope 3", "No such frontend.\n"),
        ("set maxconn frontend web", "Integer value expected.\n"),
        ("set maxconn frontend web 0", "Value out of range.\n"),
        ("set maxconn frontend web x", "Value out of range.\n"),
        ("show sess 0x1", "Session not found.\n"),
        ("show sess nope", "Session not found.\n"),
        ("shutdown session", "Session pointer expected (use 'show sess').\n"),
        ("shutdown session nope", "No such session (use 'show sess').\n"),
        ("shutdown sessions server", "Require 'backend/server'.\n"),
        ("shutdown sessions server web/nope", "No such server.\n"),
        ("shutdown sessions server nope/web1", "No such backend.\n"),
    ],
)
async def test_what_is_refused(command: str, answer: str) -> None:
    traffic = FakeTraffic()
    assert await say(traffic, command) == [answer]
    assert traffic.told == []


async def test_frontends_are_stopped_and_go_on() -> None:
    traffic = FakeTraffic()
    assert await say(traffic, "disable frontend web", "disable frontend web", "enable frontend web") == [
        "",
        "All sockets are already disabled.\n",
        "",
    ]
    assert await say(traffic, "enable frontend web") == ["its port was taken by another program meanwhile\n"]
    assert traffic.told == [("disable", "web"), ("enable", "web")]


async def test_frontends_are_limited() -> None:
    traffic = FakeTraffic()
    assert await say(traffic, "set maxconn frontend web 200") == [""]
    assert traffic.told == [("limit", "web", 200)]


async def test_connections_are_seen() -> None:
    lines = [
        "0x1000000000abc: proto=tcpv4 src=192.0.2.9:1234 fe=web be=web srv=web1 "
        "ts=00 epoch=0 age=1m5s calls=1 rate=0 cpu=0 lat=0\n",
        "0xdef: proto=tcpv6 src=2001:db8::9:5 fe=web be=<NONE> srv=<none> "
        "ts=00 epoch=0 age=2h1m calls=1 rate=0 cpu=0 lat=0\n",
        "0x111: proto=unix_stream src=unix:1 fe=web be=<NONE> srv=<none> "
        "ts=00 epoch=0 age=0s calls=1 rate=0 cpu=0 lat=0\n",
    ]
    assert await say(FakeTraffic(), "show sess", "show sess all", "show sess 0xdef") == [
        "".join(lines),
        "".join(lines),
        lines[1],
    ]


async def test_connections_are_ended() -> None:
    traffic = FakeTraffic()
    assert await say(
        traffic, "shutdown session 0xdef", "shutdown session 0xdee", "shutdown sessions server web/web1"
    ) == ["", "No such session (use 'show sess').\n", ""]
    assert traffic.told == [("end", 0xDEF), ("end", 0xDEE), ("end_sessions", "web", "web1")]
