"""The drawing of a whole demonstration: who holds the VIP, what each probe took, answers a second. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hapair.lab.chart import (
    LATENCY_FLOOR_S,
    LATENCY_TICKS,
    LATENCY_TOP_S,
    Linear,
    Logarithmic,
    area,
    badge,
    bins,
    line,
    rates,
    runs,
    text,
)
from hapair.lab.demo import Result, Span

WIDTH, HEIGHT = 1080, 418
_LEFT, _RIGHT = 62, 1072
_LANES, _LANE, _LANE_STEP = 36, 15, 21
_LATENCY_TOP, _LATENCY_BOTTOM = 104, 250
_RATE_TOP, _RATE_BOTTOM = 288, 382
_SLICES = 480
_RATE_SLICES = 120


@dataclass(frozen=True, slots=True)
class Frame:
    """What every part of the drawing needs."""

    result: Result
    x: Linear
    styles: Mapping[str, str]
    """Node name, and node address, to the CSS class of the node's colour."""


def overview(result: Result, styles: Mapping[str, str]) -> str:
    """The drawing as an SVG element."""
    frame = Frame(result, Linear(result.began_at, result.ended_at, _LEFT, _RIGHT), styles)
    parts = [*_time_axis(frame), *_lanes(frame), *_latency(frame), *_rates(frame), *_faults(frame)]
    label = "Timeline: which node holds the VIP, latency of each probe, answers a second; faults are numbered."
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _time_axis(frame: Frame) -> Iterator[str]:
    result = frame.result
    for second in range(0, int(result.ended_at - result.began_at) + 1, 5):
        x = frame.x(result.began_at + second)
        yield f'<line x1="{x}" x2="{x}" y1="{_LANES}" y2="{_RATE_BOTTOM}" class="grid"/>'
        yield text(x, _RATE_BOTTOM + 18, f"{second} s", "tick", "middle")


def _lanes(frame: Frame) -> Iterator[str]:
    for number, node in enumerate(frame.result.plan.nodes):
        y = _LANES + number * _LANE_STEP
        yield text(_LEFT - 8, y + 11.5, node, f"lane {frame.styles[node]}-text", "end")
        for span in frame.result.holdings:
            if span.node == node:
                yield from _holding(frame, span, y)


def _holding(frame: Frame, span: Span, y: float) -> Iterator[str]:
    """A bar; hatched from the moment that a fault struck the node that holds the VIP."""
    struck = [t.fault_at for t in frame.result.trials if t.victim == span.node and span.since < t.fault_at < span.until]
    lost_at = struck[0] if struck else span.until
    style = frame.styles[span.node]
    yield _bar(frame, span.since, lost_at, y, style, f"{span.node} holds the VIP for {span.until - span.since:.2f} s")
    yield _bar(frame, lost_at, span.until, y, f"{style} left-over", f"left over for {span.until - lost_at:.2f} s")


def _bar(frame: Frame, since: float, until: float, y: float, style: str, title: str) -> str:
    since = max(since, frame.result.began_at)
    if until <= since:
        return ""
    x, width = frame.x(since), max(1.0, frame.x(until) - frame.x(since))
    shape = f'x="{x}" y="{y}" width="{width:.1f}" height="{_LANE}" rx="2"'
    return f'<rect {shape} class="bar {style}"><title>{title}</title></rect>'


def _latency(frame: Frame) -> Iterator[str]:
    y = Logarithmic(LATENCY_FLOOR_S, LATENCY_TOP_S, _LATENCY_BOTTOM, _LATENCY_TOP + 8)
    yield text(_LEFT, _LATENCY_TOP - 6, "Latency of a probe, each a new connection through the VIP", "title")
    for value, label in LATENCY_TICKS:
        yield f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{y(value)}" y2="{y(value)}" class="grid"/>'
        yield text(_LEFT - 8, y(value) + 3.5, label, "tick", "end")
    result = frame.result
    found = bins(result.records, result.began_at, result.ended_at, _SLICES)
    for node, run in runs(found):
        style = frame.styles.get(node, "unknown")
        points = [(frame.x(one.at), y(one.low or 0), y(one.middle or 0), y(one.high or 0)) for one in run]
        edges = area([(x, high) for x, _, _, high in points], [(x, low) for x, low, _, _ in points])
        yield f'<path d="{edges}" class="spread {style}"/>'
        yield f'<path d="{line([(x, middle) for x, _, middle, _ in points])}" class="middle {style}"/>'
    width = (_RIGHT - _LEFT) / _SLICES
    for one in found:
        if one.failed:
            x, height = frame.x(one.at) - width / 2, _LATENCY_BOTTOM - _LATENCY_TOP
            yield f'<rect x="{x:.1f}" y="{_LATENCY_TOP}" width="{width:.1f}" height="{height}" class="failed"/>'


def _rates(frame: Frame) -> Iterator[str]:
    result = frame.result
    servers = list(result.plan.servers)
    found = rates(result.records, result.began_at, result.ended_at, _RATE_SLICES, servers)
    top = max(1.0, *(sums[-1] for _, sums in found))
    y = Linear(0, top, _RATE_BOTTOM, _RATE_TOP)
    yield text(_LEFT, _RATE_TOP - 8, "Answers a second, by web server", "title")
    yield text(_LEFT - 8, _RATE_TOP + 4, f"{top:.0f}", "tick", "end")
    yield text(_LEFT - 8, _RATE_BOTTOM + 3, "0", "tick", "end")
    for number, name in enumerate(servers):
        upper = [(frame.x(at), y(sums[number])) for at, sums in found]
        lower = [(frame.x(at), y(sums[number - 1] if number else 0)) for at, sums in found]
        yield f'<path d="{area(upper, lower)}" class="server-{number}"><title>{name}</title></path>'
    yield from _server_names(servers)


def _server_names(servers: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(servers):
        x = _RIGHT - 62 * (len(servers) - number)
        yield f'<rect x="{x}" y="{_RATE_TOP - 17}" width="10" height="10" rx="2" class="server-{number}"/>'
        yield text(x + 15, _RATE_TOP - 8, name, "tick")


def _faults(frame: Frame) -> Iterator[str]:
    for number, trial in enumerate(frame.result.trials, 1):
        x = frame.x(trial.fault_at)
        yield f'<line x1="{x}" x2="{x}" y1="18" y2="{_RATE_BOTTOM}" class="fault"/>'
        yield badge(x, 10, number)
        yield text(x + 13, 14, f"{trial.fault.value}, {trial.victim}", "fault-label")
        back = frame.x(trial.undone_at)
        yield f'<line x1="{back}" x2="{back}" y1="{_LANES - 6}" y2="{_LANES + 40}" class="undone">'
        yield f"<title>{trial.victim} may come back</title></line>"
