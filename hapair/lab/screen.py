"""The live view of a demonstration, drawn by rich on a terminal."""

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hapair.lab.demo import FAULTS, Result, Stage
from hapair.lab.outage import tally
from hapair.lab.records import Record
from hapair.lab.report import COLUMNS, row, verdict
from hapair.lab.trial import WELL, Trial

_BARS = " ▁▂▃▄▅▆▇█"
_BIN_S = 0.5
_BINS = 60
_NOTES = 6
_RATE_S = 1.0


class Screen:
    """Draws itself anew whenever rich asks for it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __rich__(self) -> RenderableType:
        now = time.monotonic()
        stage = self._stage
        title = f"hapair demo: a VIP, two nodes, three web servers  [dim]{now - stage.began_at:4.1f} s[/]"
        return Panel(
            Group(self._nodes(), "", self._traffic(now), "", *self._notes(), "", results(stage.trials)),
            title=title,
            title_align="left",
            border_style="dim",
        )

    def _nodes(self) -> Table:
        stage = self._stage
        table = Table.grid(padding=(0, 3))
        for name, host in stage.pair.nodes.items():
            role = role_of(stage.pair.nodes[name].addresses.holds(stage.pair.plan.vip), stage.condition(name))
            table.add_row(Text(name, style="bold"), host.address, role)
        return table

    def _traffic(self, now: float) -> Table:
        records = self._stage.measurement.records
        recent = _tail(records, now - _RATE_S)
        counts = tally(recent)
        table = Table.grid(padding=(0, 3))
        table.add_row(
            "requests/s", f"{counts.requests - counts.failed:5d}", Text(sparkline(records, now), style="green")
        )
        table.add_row("failed/s", f"{counts.failed:5d}", Text(sparkline(records, now, failed=True), style="bold red"))
        for name in self._stage.pair.servers:
            served = counts.per_server.get(name, 0)
            table.add_row(name, f"{served:5d}", Text("█" * round(40 * served / max(1, counts.requests)), style="cyan"))
        return table

    def _notes(self) -> list[Text]:
        notes = self._stage.notes[-_NOTES:]
        lines = [Text(f"{note.at - self._stage.began_at:6.2f} s  {note.text}") for note in notes]
        return lines + [Text("")] * (_NOTES - len(lines))


def role_of(holds: bool, condition: str) -> Text:
    """What a node is, as far as its kernel's addresses and what was done to it tell."""
    if condition == WELL:
        return Text("● ACTIVE, holds the VIP", style="bold green") if holds else Text("○ standby", style="cyan")
    return Text(f"✗ {condition}" + (", VIP still on it" if holds else ", VIP gone"), style="bold red")


def sparkline(records: Sequence[Record], now: float, *, failed: bool = False) -> str:
    """Requests in each of the last half seconds, as a line of bars."""
    counts = [0] * _BINS
    for record in _tail(records, now - _BINS * _BIN_S):
        if record.ok is not failed:
            counts[min(_BINS - 1, max(0, _BINS - 1 - int((now - record.sent_at) / _BIN_S)))] += 1
    top = max(1, *counts)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // top)] for count in counts)


def results(trials: Sequence[Trial]) -> Table:
    """The table of what has been tried."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for column in COLUMNS:
        table.add_column(column)
    for trial in trials:
        table.add_row(*row(trial), style="" if trial.passed else "bold red")
    for fault in FAULTS[len(trials) :]:
        table.add_row(fault.value, style="dim")
    return table


def conclude(console: Console, result: Result) -> None:
    """The table and the verdict, for the end."""
    plan = result.plan
    console.print(results(result.trials))
    console.print(
        f"\nadvertisement_interval {plan.interval_ms} ms, Active_Down_Interval {plan.active_down_s * 1000:.0f} ms, "
        f"lease {plan.lease_s} s. Outage: from the first of a run of failed probes being sent (one each 4 ms, each "
        "a new connection) until a probe sent after them is answered.",
        style="dim",
    )
    console.print(verdict(result), style="bold green" if result.passed else "bold red")


def _tail(records: Sequence[Record], since: float) -> list[Record]:
    # Records come in order of their end, which is nearly that of their sending: go back until well before.
    start = len(records)
    while start > 0 and records[start - 1].done_at >= since:
        start -= 1
    return [record for record in records[start:] if record.sent_at >= since]
