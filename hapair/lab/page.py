"""The result of a demonstration as one self-contained web page: nothing is fetched, no script runs. Pure, CSS aside."""

from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files

from hapair.lab.closeup import closeup, reach
from hapair.lab.demo import Result
from hapair.lab.outage import quantile, tally
from hapair.lab.overview import overview
from hapair.lab.report import COLUMNS, row, span, verdict
from hapair.lab.trial import Trial

_COLOURS = ("node-a", "node-b")
_TIMES = {1: "once", 2: "twice", 3: "three times"}


def page(result: Result) -> str:
    """The page, as HTML."""
    css = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hapair demo: {escape(headline(result))}</title>
<style>
{css}</style>
</head>
<body>
<main>
{_top(result)}
{_cards(result)}
<h2>The whole run</h2>
{_timeline(result)}
<h2>In figures</h2>
{_table(result)}
{_method(result)}
</main>
</body>
</html>
"""


def headline(result: Result) -> str:
    """The result in a sentence, for people who have not heard of it."""
    count = len(result.trials)
    failed = f"The active node failed {_TIMES.get(count, f'{count} times')}."
    outages = [span for trial in result.trials for span in (trial.outage_s, trial.return_outage_s)]
    known = [span for span in outages if span is not None]
    if not result.passed or len(known) < len(outages):
        return f"{failed} Not every takeover went well."
    return f"{failed} Clients waited {max(known):.2f} s at most."


def node_styles(result: Result) -> Mapping[str, str]:
    """CSS classes by node name and by node address."""
    styles = dict(zip(result.plan.nodes, _COLOURS, strict=True))
    return styles | {address: styles[name] for name, address in result.plan.nodes.items()}


def _top(result: Result) -> str:
    counts = tally(result.records)
    middle = quantile((one.took_s for one in result.records if one.kind == "probe" and one.ok), 0.5)
    nodes = " and ".join(f"{name} ({address})" for name, address in result.plan.nodes.items())
    share = 100 * counts.failed / max(1, counts.requests)
    outcome = f'<span class="verdict{"" if result.passed else " failed-run"}">{escape(verdict(result))}.</span>'
    return f"""\
<p class="eyebrow">hapair demo</p>
<h1>{escape(headline(result))}</h1>
<p class="lead">{escape(nodes)} share the virtual IP {result.plan.vip}. A client asked through it
{counts.requests:,} times in {result.ended_at - result.began_at:.0f} seconds; {counts.failed:,} requests ({share:.1f} %)
failed, a probe took {span_fine(middle)} (median). {outcome}</p>"""


def span_fine(seconds: float | None) -> str:
    """`1.2 ms`"""
    return "no time" if seconds is None else f"{seconds * 1000:.1f} ms"


def _cards(result: Result) -> str:
    styles, after_s = node_styles(result), reach(result)
    cards = (_card(result, trial, number, styles, after_s) for number, trial in enumerate(result.trials, 1))
    return f'<div class="cards">{"".join(cards)}</div>'


def _card(result: Result, trial: Trial, number: int, styles: Mapping[str, str], after_s: float) -> str:
    gone = f"off {trial.victim} after {span(trial.vip_off_s, missing='')}"
    if trial.stale_vip:
        gone = f"still on {trial.victim} when its lease had ended: stale"
    taken = f"on {trial.peer} after {span(trial.takeover_s, missing='')}"
    if trial.takeover_s is None:
        taken = f"never on {trial.peer}"
    return f"""\
<article class="card">
<header><b>{number}</b>{escape(f"{trial.fault.value}, {trial.victim}")}</header>
<div class="figure">{escape(span(trial.outage_s, missing="without end"))}<small>outage</small></div>
<p>{trial.failed} of {trial.requests} requests failed. VIP {escape(taken)}, {escape(gone)}.</p>
{closeup(result, trial, number, styles, after_s=after_s)}
</article>"""


def _timeline(result: Result) -> str:
    styles = node_styles(result)
    keys = "".join(f'<li><i class="{styles[name]}"></i>{escape(name)}</li>' for name in result.plan.nodes)
    return f"""\
<div class="panel">
<ul class="legend">{keys}
<li><i class="left-over-key"></i>VIP left over on a node that failed, until its lease ends</li>
<li><i class="failed-key"></i>probes failed</li></ul>
{overview(result, styles)}
</div>"""


def _table(result: Result) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in COLUMNS)
    body = "".join(f"<tr>{''.join(_cells(trial))}</tr>" for trial in result.trials)
    return f'<div class="panel"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cells(trial: Trial) -> Iterator[str]:
    for column, words in zip(COLUMNS, row(trial), strict=True):
        style = "bad" if column == "Stale VIP" and trial.stale_vip else ""
        yield f'<td class="{style}">{escape(words)}</td>'


def _method(result: Result) -> str:
    plan = result.plan
    return f"""\
<footer>
<p><b>How it was measured.</b> Two nodes run the real program in network namespaces of one machine, on a bridge with
three web servers and a client. The client opens a new connection every 4 ms and gives each 250 ms. An outage lasts from
the sending of the first of a run of probes that all failed until the first probe sent after them that succeeded was
answered; the longest one around the fault is given. When the VIP came and went is what the nodes' kernels said
(rtnetlink). A VIP is stale if its node's kernel still holds it 1.5 s after the lease has ended.
advertisement_interval {plan.interval_ms} ms, Active_Down_Interval {plan.active_down_s * 1000:.0f} ms,
lease {plan.lease_s} s.</p>
<p>Made by <code>hapair demo --html FILE</code>, {escape(result.versions)}.</p>
</footer>"""
