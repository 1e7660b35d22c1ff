"""`clear counters`, with and without `all`."""

from dataclasses import replace

from hapair.admin.haproxy_cli import HaproxyCli
from hapair.admin.haproxy_counters import CounterCommands
from hapair.admin.rates import Pace, PoolHistory, Rates, Times
from hapair.admin.surfaces import Surfaces
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE

BUSY = Pace(8, 4, 9, 30, 70, 95.0, Times(0.4, 3.6, 12.0))


class Counting:
    def __init__(self) -> None:
        self.told: list[str] = []

    async def forget_maxima(self) -> None:
        self.told.append("maxima")

    async def forget_counts(self) -> None:
        self.told.append("counts")


def cli(counting: Counting) -> tuple[HaproxyCli, Rates]:
    rates = Rates()
    rates.paces["frontend", "web"] = BUSY
    rates.pools["web"] = PoolHistory(changed_at=90.0, downs=3, down_before_s=4.5)
    surfaces = Surfaces(lambda: NODE, rates, lambda: 100.0, started_at=0.0)
    return HaproxyCli(surfaces, Recorder(), {}, more=CounterCommands(counting, rates).commands()), rates


async def test_maxima_alone() -> None:
    counting = Counting()
    commands, rates = cli(counting)
    assert await commands.answer("clear counters", "operator") == ""
    assert counting.told == ["maxima"]
    assert rates.paces["frontend", "web"] == replace(BUSY, open_max=0, connections_per_s_max=0, requests_per_s_max=0)
    assert rates.pools["web"].downs == 3


async def test_all_that_was_counted_is_for_an_admin() -> None:
    counting = Counting()
    commands, rates = cli(counting)
    assert await commands.answer("clear counters all", "operator") == "Permission denied\n"
    assert counting.told == []
    assert await commands.answer("clear counters all", "admin") == ""
    assert counting.told == ["counts"]
    assert rates.paces["frontend", "web"] == Pace(connections_per_s=4, requests_per_s=30)
    assert rates.pools["web"] == PoolHistory(changed_at=90.0, downs=0, down_before_s=4.5)
