"""The rules follow the servers; what somebody else removes is put back; an obstacle is told, and tried again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
import trio.testing

from balancer.config import BalancerConfig
from balancer.kernel.ruleset import removal
from balancer.kernel.services import Count
from balancer.standing import Standing
from hapair.kernel import plane
from hapair.kernel.plane import KernelPlane


class FakeEvents:
    """Removals as the test says; `rob` wakes whoever waits."""

    def __init__(self) -> None:
        self.found = 0
        self._event = trio.Event()

    def rob(self) -> None:
        self.found += 1
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = trio.Event()

    def removals(self) -> int:
        taken, self.found = self.found, 0
        return taken

    def close(self) -> None:
        pass


class Kernel:
    def __init__(self) -> None:
        self.events = FakeEvents()
        self.texts: list[str] = []
        self.obstacle: str | None = None
        self.cut: list[str] = []
        self.changes: list[str | None] = []
        self.wanted = {"net/ipv4/ip_forward": "1"}
        self.liberal = {"liberal": "1"}
        self.settings = {"net/ipv4/ip_forward": "0", "liberal": "0"}
        self.is_read_only = False

    def change(self, settings: dict[str, str]) -> list[str]:
        if self.is_read_only:
            return [name for name, value in settings.items() if self.settings[name] != value]
        self.settings |= settings
        return []

    def restore(self) -> None:
        self.settings = dict.fromkeys(self.settings, "as it was")

    async def install(self, text: str) -> str | None:
        self.texts.append(text)
        return self.obstacle

    async def counters(self) -> dict[str, Count]:
        return {"f0_web_4_0_a_new": Count(len(self.texts), 0)}


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()

    async def cut(servers: list[tuple[object, object]], *, active: set[str]) -> int:
        kernel.cut += [str(end) for _, end in servers]
        return len(servers)

    monkeypatch.setattr(plane, "TableEvents", lambda: kernel.events)
    monkeypatch.setattr(plane.nft, "install", kernel.install)
    monkeypatch.setattr(plane.nft, "counters", kernel.counters)
    monkeypatch.setattr(plane, "cut", cut)
    monkeypatch.setattr(plane, "wanted", lambda **_: dict(kernel.wanted))
    monkeypatch.setattr(plane, "liberal", lambda **_: dict(kernel.liberal))
    monkeypatch.setattr(plane, "Sysctls", lambda _: kernel)
    return kernel


@pytest.fixture
async def running(
    config: BalancerConfig, kernel: Kernel, tmp_path: Path, nursery: trio.Nursery, autojump_clock: object
) -> AsyncIterator[KernelPlane]:
    running: KernelPlane
    changed = lambda: kernel.changes.append(running.obstacle)  # noqa: E731
    running = KernelPlane(config, tmp_path, active=lambda: {"web"}, on_change=changed)
    assert running.is_needed
    assert running.obstacle == "its rules are not loaded yet"
    nursery.start_soon(running.run)
    await trio.testing.wait_all_tasks_blocked()
    yield running
    nursery.cancel_scope.cancel()


async def test_the_whole_first_then_what_changes(running: KernelPlane, kernel: Kernel) -> None:
    assert kernel.texts[0].startswith("add table inet hapair\ndelete table inet hapair\n")
    assert kernel.changes == [None]
    running.set_standing("web", "a", Standing(up=False))
    await trio.testing.wait_all_tasks_blocked()
    assert kernel.texts[1].startswith("delete element inet hapair f0_web_4_places {")
    assert kernel.cut == ["192.0.2.20:80"] * 2  # of web and of dns
    running.set_standing("web", "a", Standing(up=False, max_connections=3))
    await trio.testing.wait_all_tasks_blocked()
    assert len(kernel.texts) == 2
    await trio.sleep(2.5)
    assert running.counters == {"f0_web_4_0_a_new": Count(2, 0)}


async def test_what_is_removed_is_put_back_and_counted(running: KernelPlane, kernel: Kernel) -> None:
    kernel.events.rob()
    await trio.testing.wait_all_tasks_blocked()
    assert running.restored == 1
    assert kernel.texts[1] == kernel.texts[0]
    assert running.obstacle is None


async def test_our_own_removals_are_none_but_one_more_is(running: KernelPlane, kernel: Kernel) -> None:
    kernel.events.rob()
    await trio.testing.wait_all_tasks_blocked()
    before = len(kernel.texts)
    real = kernel.install

    async def robbed_at_once(text: str) -> str | None:
        if len(kernel.texts) == before:
            kernel.events.found = 1
        return await real(text)

    plane.nft.install = robbed_at_once
    running.set_standing("web", "a", Standing(up=False))
    await trio.testing.wait_all_tasks_blocked()
    assert running.restored == 2
    assert kernel.texts[-1].startswith("add table inet hapair")


async def test_an_obstacle_is_told_and_tried_again(running: KernelPlane, kernel: Kernel) -> None:
    kernel.obstacle = "nft refuses: Error: no"
    running.set_standing("web", "a", Standing(up=False))
    await trio.testing.wait_all_tasks_blocked()
    assert running.obstacle == "nft refuses: Error: no"
    assert kernel.changes == [None, "nft refuses: Error: no"]
    kernel.obstacle = None
    await trio.sleep(2.5)
    assert running.obstacle is None
    assert kernel.texts[-1].startswith("add table inet hapair")


async def test_settings_that_somebody_changes_are_changed_back_or_told(running: KernelPlane, kernel: Kernel) -> None:
    assert kernel.settings == {"net/ipv4/ip_forward": "1", "liberal": "1"}
    kernel.settings["net/ipv4/ip_forward"] = "0"
    await trio.sleep(5.5)
    assert kernel.settings == {"net/ipv4/ip_forward": "1", "liberal": "1"}
    assert running.warnings == ()
    kernel.is_read_only, kernel.settings["liberal"] = True, "0"
    await trio.sleep(5.5)
    assert running.warnings == ("liberal",)
    kernel.settings["liberal"] = "1"
    await trio.sleep(5.5)
    assert running.warnings == ()


async def test_nothing_is_left(running: KernelPlane, kernel: Kernel) -> None:
    await running.remove()
    assert kernel.texts[-1] == removal()
    assert kernel.settings == {"net/ipv4/ip_forward": "as it was", "liberal": "as it was"}


async def test_without_such_a_frontend_there_is_nothing_to_do(config: BalancerConfig, tmp_path: Path) -> None:
    idle = KernelPlane(BalancerConfig(frontends={}, pools={}), tmp_path, active=set, on_change=lambda: None)
    assert not idle.is_needed
    assert idle.obstacle is None
    await idle.remove()
