"""Commands that want to know of transitions: what they are told, in which order, and that nobody waits for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hapair.notify import Notifier
from hapair.processes import Ended
from vrrp.config import VirtualRouterConfig

LAN = VirtualRouterConfig(
    name="lan",
    vrid=51,
    interface="eth0",
    addresses=(IPv4Interface("192.0.2.100/24"), IPv4Interface("192.0.2.101/24")),
    excluded_addresses=(IPv4Interface("198.51.100.1/24"),),
    priority=200,
)
WAN = replace(LAN, name="wan", vrid=52)
COMMANDS = {"lan": ("/bin/tell", "lan"), "wan": ("/bin/tell", "wan")}


class FakePrograms:
    """Programs that end when the test says so; at once, if it does not mind."""

    def __init__(self, *, held: bool = False) -> None:
        self.started: list[tuple[Sequence[str], Mapping[str, str], float]] = []
        self.running = 0
        self.most_at_once = 0
        self.gate = trio.Event()
        if not held:
            self.gate.set()

    async def run(self, command: Sequence[str], environment: Mapping[str, str], limit_s: float) -> Ended:
        self.started.append((command, environment, limit_s))
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        await self.gate.wait()
        self.running -= 1
        return Ended(True, "exited with status 0")

    def states(self, router: str = "lan") -> list[str]:
        return [
            environment["HAPAIR_STATE"] for _, environment, _ in self.started if environment["HAPAIR_ROUTER"] == router
        ]


@dataclass(frozen=True)
class Snapshot:
    state: str
    priority: int
    last_reason: str


def seen(state: str, reason: str = "because", priority: int = 200, name: str = "lan") -> dict[str, Snapshot]:
    return {name: Snapshot(state, priority, reason)}


async def test_a_command_is_told_everything_in_its_environment(nursery: trio.Nursery) -> None:
    programs = FakePrograms()
    notifier = Notifier("pi-a", [LAN], COMMANDS, run=programs.run)
    nursery.start_soon(notifier.run)
    notifier.hear(seen("Backup", "eth0 is ready with 192.0.2.11"))
    await wait_all_tasks_blocked()
    notifier.hear(seen("Active", "192.0.2.12 resigned", priority=150))
    await wait_all_tasks_blocked()
    assert programs.started == [
        (
            ("/bin/tell", "lan"),
            {
                "HAPAIR_NODE": "pi-a",
                "HAPAIR_ROUTER": "lan",
                "HAPAIR_STATE": "Backup",
                "HAPAIR_OLD_STATE": "Initialize",
                "HAPAIR_PRIORITY": "200",
                "HAPAIR_REASON": "eth0 is ready with 192.0.2.11",
                "HAPAIR_VIPS": "192.0.2.100 192.0.2.101 198.51.100.1",
            },
            30.0,
        ),
        (
            ("/bin/tell", "lan"),
            {
                "HAPAIR_NODE": "pi-a",
                "HAPAIR_ROUTER": "lan",
                "HAPAIR_STATE": "Active",
                "HAPAIR_OLD_STATE": "Backup",
                "HAPAIR_PRIORITY": "150",
                "HAPAIR_REASON": "192.0.2.12 resigned",
                "HAPAIR_VIPS": "192.0.2.100 192.0.2.101 198.51.100.1",
            },
            30.0,
        ),
    ]


async def test_what_is_no_transition_is_not_told(nursery: trio.Nursery) -> None:
    programs = FakePrograms()
    notifier = Notifier("pi-a", [LAN], COMMANDS, run=programs.run)
    nursery.start_soon(notifier.run)
    notifier.hear({})
    notifier.hear(seen("Initialize"))
    notifier.hear(seen("Backup"))
    notifier.hear(seen("Backup", "another reason", priority=10))
    await wait_all_tasks_blocked()
    assert programs.states() == ["Backup"]


async def test_a_router_whose_announcer_is_gone_is_in_initialize(nursery: trio.Nursery) -> None:
    programs = FakePrograms()
    notifier = Notifier("pi-a", [LAN], COMMANDS, run=programs.run)
    nursery.start_soon(notifier.run)
    notifier.hear(seen("Active"))
    notifier.hear({})
    await wait_all_tasks_blocked()
    assert programs.states() == ["Active", "Initialize"]
    assert programs.started[1][1]["HAPAIR_REASON"] == "the announcer does not run"


async def test_one_after_the_other_for_a_router_and_side_by_side_for_two(nursery: trio.Nursery) -> None:
    programs = FakePrograms(held=True)
    notifier = Notifier("pi-a", [LAN, WAN], COMMANDS, run=programs.run)
    nursery.start_soon(notifier.run)
    for state in ("Backup", "Active"):
        notifier.hear({**seen(state), **seen(state, name="wan")})
    await wait_all_tasks_blocked()
    assert (programs.states("lan"), programs.states("wan")) == (["Backup"], ["Backup"])
    programs.gate.set()
    await wait_all_tasks_blocked()
    assert (programs.states("lan"), programs.states("wan")) == (["Backup", "Active"], ["Backup", "Active"])
    assert programs.most_at_once == 2


async def test_where_they_pile_up_the_oldest_are_left_out_and_that_is_logged(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    programs = FakePrograms(held=True)
    notifier = Notifier("pi-a", [LAN], COMMANDS, run=programs.run)
    nursery.start_soon(notifier.run)
    notifier.hear(seen("Backup"))
    await wait_all_tasks_blocked()
    for _ in range(3):
        notifier.hear(seen("Active"))
        notifier.hear(seen("Backup"))
    programs.gate.set()
    await wait_all_tasks_blocked()
    assert programs.states() == ["Backup", "Active", "Backup", "Active", "Backup"]
    skipped = [record for record in caplog.records if record.getMessage().startswith("notify is behind")]
    assert [vars(record)["state"] for record in skipped] == ["Active", "Backup"]


async def test_a_router_without_a_command_is_passed_over(nursery: trio.Nursery) -> None:
    programs = FakePrograms()
    notifier = Notifier("pi-a", [LAN, WAN], {"wan": ("/bin/tell",)}, run=programs.run)
    nursery.start_soon(notifier.run)
    notifier.hear({**seen("Active"), **seen("Backup", name="wan")})
    await wait_all_tasks_blocked()
    assert (programs.states("lan"), programs.states("wan")) == ([], ["Backup"])


async def test_finish_waits_for_what_was_told(nursery: trio.Nursery) -> None:
    programs = FakePrograms(held=True)
    notifier = Notifier("pi-a", [LAN], COMMANDS, run=programs.run)
    nursery.start_soon(notifier.run)
    notifier.hear(seen("Active"))
    notifier.hear(seen("Backup"))
    finished = trio.Event()

    async def finish() -> None:
        await notifier.finish(60)
        finished.set()

    nursery.start_soon(finish)
    await wait_all_tasks_blocked()
    assert not finished.is_set()
    programs.gate.set()
    await wait_all_tasks_blocked()
    assert finished.is_set()
    assert programs.states() == ["Active", "Backup"]


async def test_finish_does_not_wait_for_ever(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    notifier = Notifier("pi-a", [LAN], COMMANDS, run=FakePrograms(held=True).run)
    nursery.start_soon(notifier.run)
    notifier.hear(seen("Active"))
    await notifier.finish(2)
    assert trio.current_time() == 2


async def test_where_nothing_was_told_there_is_nothing_to_finish(autojump_clock: MockClock) -> None:
    await Notifier("pi-a", [LAN], COMMANDS).finish(5)
    assert trio.current_time() == 0


async def test_a_real_command(nursery: trio.Nursery, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("/bin/sh", "-c", f'echo "$HAPAIR_ROUTER $HAPAIR_OLD_STATE $HAPAIR_STATE $0" >>{out}', "word")
    notifier = Notifier("pi-a", [LAN], {"lan": command})
    nursery.start_soon(notifier.run)
    notifier.hear(seen("Backup"))
    notifier.hear(seen("Active"))
    await notifier.finish(60)
    assert out.read_text() == "lan Initialize Backup word\nlan Backup Active word\n"
