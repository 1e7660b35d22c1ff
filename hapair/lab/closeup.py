"""The drawing of one fault from near: every single probe of the second around it. Pure."""

from collections.abc import Iterator, Mapping

from hapair.lab.chart import (
    LATENCY_FLOOR_S,
    LATENCY_TICKS,
    LATENCY_TOP_S,
    Linear,
    Logarithmic,
    badge,
    text,
)
from hapair.lab.demo import Result
from hapair.lab.outage import Outage, longest, outages, within
from hapair.lab.trial import LOOKBACK_S, Trial

WIDTH, HEIGHT = 340, 216
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 334, 52, 186
_RAIL = 40
"""Where probes that failed are marked: above all that were answered."""
_BEFORE_S, _LEAST_AFTER_S = 0.12, 0.6


def closeup(result: Result, trial: Trial, number: int, styles: Mapping[str, str], *, after_s: float) -> str:
    """The drawing as an SVG element, from just before the fault until `after_s` after it."""
    x = Linear(trial.fault_at - _BEFORE_S, trial.fault_at + after_s, _LEFT, _RIGHT)
    shown = within(result.records, x.low, x.high)
    outage = longest(outages(within(result.records, trial.fault_at - LOOKBACK_S, trial.undone_at)))
    parts = [*_axes(x, trial.fault_at, after_s)]
    parts += _outage(x, outage) if outage else ()
    parts += _marks(x, trial, number)
    y = Logarithmic(LATENCY_FLOOR_S, LATENCY_TOP_S, _BOTTOM, _TOP)
    for probe in shown:
        if probe.kind != "probe":
            continue
        if probe.ok:
            style = styles.get(probe.node, "unknown")
            parts.append(f'<circle cx="{x(probe.sent_at)}" cy="{y(probe.took_s)}" r="1.7" class="dot {style}"/>')
        else:
            at = x(probe.sent_at)
            parts.append(f'<line x1="{at}" x2="{at}" y1="{_RAIL - 4}" y2="{_RAIL + 4}" class="miss"/>')
    label = f"Fault {number}, {trial.fault.value}: every probe around it."
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def reach(result: Result) -> float:
    """How long after a fault to show, the same for all, so that they can be compared: seconds."""
    spans = [span for trial in result.trials for span in (trial.outage_s, trial.takeover_s) if span is not None]
    return min(4.0, max(_LEAST_AFTER_S, 1.35 * max(spans, default=0.0)))


def _axes(x: Linear, fault_at: float, after_s: float) -> Iterator[str]:
    y = Logarithmic(LATENCY_FLOOR_S, LATENCY_TOP_S, _BOTTOM, _TOP)
    for value, label in LATENCY_TICKS:
        yield f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{y(value)}" y2="{y(value)}" class="grid"/>'
        yield text(_LEFT - 6, y(value) + 3.5, label, "tick", "end")
    yield text(_LEFT - 6, _RAIL + 3.5, "failed", "tick", "end")
    step = next(step for step in (0.1, 0.2, 0.5, 1.0) if after_s / step <= 6 or step == 1.0)
    for count in range(int(after_s / step) + 1):
        at = x(fault_at + count * step)
        yield f'<line x1="{at}" x2="{at}" y1="{_BOTTOM}" y2="{_BOTTOM + 4}" class="axis"/>'
        yield text(at, _BOTTOM + 17, f"{count * step * 1000:.0f}{' ms' if count == 0 else ''}", "tick", "middle")
    yield f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{_BOTTOM}" y2="{_BOTTOM}" class="axis"/>'


def _outage(x: Linear, outage: Outage) -> Iterator[str]:
    start, end = x(outage.began_at), x(min(x.high, outage.ended_at or x.high))
    lasted = "without end" if outage.lasted_s is None else f"{outage.lasted_s * 1000:.0f} ms"
    shape = f'x="{start}" y="{_RAIL - 6}" width="{max(1, end - start):.1f}" height="{_BOTTOM - _RAIL + 6}"'
    yield f'<rect {shape} class="gap"/>'
    yield text((start + end) / 2, (_TOP + _BOTTOM) / 2 + 8, lasted, "gap-label", "middle")
    yield text((start + end) / 2, (_TOP + _BOTTOM) / 2 + 24, "outage", "tick", "middle")


def _marks(x: Linear, trial: Trial, number: int) -> Iterator[str]:
    at = x(trial.fault_at)
    yield f'<line x1="{at}" x2="{at}" y1="16" y2="{_BOTTOM}" class="fault"/>{badge(at, 10, number)}'
    if trial.takeover_s is not None and trial.fault_at + trial.takeover_s < x.high:
        taken = x(trial.fault_at + trial.takeover_s)
        yield f'<line x1="{taken}" x2="{taken}" y1="16" y2="{_BOTTOM}" class="taken"/>'
        anchor = "end" if taken > (_LEFT + _RIGHT) / 2 else "start"
        yield text(taken + (-5 if anchor == "end" else 5), 22, f"VIP on {trial.peer}", "tick", anchor)
