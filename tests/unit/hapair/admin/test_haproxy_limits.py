"""`set maxconn global`: what HAProxy 2.6.12 says."""

from dataclasses import replace
from typing import Any

import pytest

from hapair.admin.haproxy_cli import HaproxyCli
from hapair.admin.haproxy_limits import LimitCommands
from hapair.admin.rates import Rates
from hapair.admin.surfaces import Surfaces
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE


class FakeLimits:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def reconfigure(self, what: str, pool: str, server: str, value: Any, *, by: str, local: bool) -> None:
        self.told.append((what, pool, server, value, local))

    async def settled(self) -> None:
        self.told.append("settled")


async def say(limits: FakeLimits, command: str, in_file: int | None = 500) -> str:
    node = replace(NODE, max_connections_in_file=in_file)
    surfaces = Surfaces(lambda: node, Rates(), lambda: 100.0, started_at=1_700_000_000.0)
    return await HaproxyCli(surfaces, Recorder(), {}, more=LimitCommands(limits, lambda: node).commands()).answer(
        command
    )


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("set maxconn global", "Expects an integer value.\n"),
        ("set maxconn global 501", "Value out of range.\n"),
        ("set maxconn global 99999999", "Value out of range.\n"),
    ],
)
async def test_what_is_refused(command: str, answer: str) -> None:
    limits = FakeLimits()
    assert await say(limits, command) == answer
    assert limits.told == []


@pytest.mark.parametrize(("written", "value"), [("100", 100), ("500", 500), ("0", None), ("x", None), ("-1", None)])
async def test_the_node_is_limited(written: str, value: int | None) -> None:
    limits = FakeLimits()
    assert await say(limits, f"set maxconn global {written}") == ""
    assert limits.told == [("node_limit", "", "", value, False), "settled"]


async def test_without_a_limit_in_the_file_it_is_that_of_all_frontends() -> None:
    limits = FakeLimits()
    assert await say(limits, "set maxconn global 9101", in_file=None) == "Value out of range.\n"
    assert await say(limits, "set maxconn global 9100", in_file=None) == ""
