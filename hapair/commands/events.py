"""`hapair events`"""

import json
import re
import sys
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import trio
from rich.console import Console
from rich.markup import escape

from hapair.admin.runtime import NotRunningError, follow
from hapair.commands.options import FAILED, NOT_RUNNING, end, json_option, runtime_option
from hapair.events.event import Event
from hapair.wire import from_plain

_SPAN = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_COLOURS = {"info": "", "warning": "yellow", "error": "bold red"}
_LAST = 10
_KIND_WIDTH = 12


class _Since(click.ParamType[float]):
    """A span before now, a time of today, or a date and a time."""

    name = "10m|03:15|2026-01-31T03:15"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return instant(str(value), datetime.now().astimezone())
        except (ValueError, OverflowError):
            self.fail("say 10m, 2h, 1d, 03:15 (today) or 2026-01-31T03:15", param, ctx)


def instant(text: str, now: datetime) -> float:
    """In seconds of the Unix epoch. Raises ValueError or OverflowError."""
    if span := _SPAN.fullmatch(text):
        return (now - timedelta(**{_UNITS[span[2]]: int(span[1])})).timestamp()
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text):
        text = f"{now.date()}T{text:0>5}"
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=now.tzinfo)).timestamp()


@click.command("events")
@click.option("-f", "--follow", "follows", is_flag=True, help=f"The last {_LAST}, and then each as it happens.")
@click.option("--since", type=_Since(), default=None, help="Those since then.")
@click.option("-n", "--last", type=click.IntRange(0), default=None, help="At most so many of those that are kept.")
@click.option("--local", is_flag=True, help="Those of this node alone.")
@runtime_option
@json_option
def command(
    follows: bool, since: float | None, last: int | None, local: bool, runtime_dir: Path, as_json: bool
) -> None:
    """Show what happened on both nodes and why, a line each: roles, servers, processes, links, who changed what.

    The other node tells this one of its events while it is heard; what it told before stays here.
    """
    if follows and last is None and since is None:
        last = _LAST
    request = {"command": "events", "since": since, "last": last, "follow": follows, "local": local}
    try:
        status = trio.run(_show, runtime_dir, request, as_json)
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair events)")
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(0)
    if status is not None:
        end(FAILED, status)


async def _show(runtime_dir: Path, request: dict[str, Any], as_json: bool) -> str | None:
    console = Console(highlight=False, soft_wrap=True)
    async with aclosing(follow(runtime_dir, request)) as lines:
        async for line in lines:
            if "error" in line:
                return str(line["error"])
            if "alive" in line:
                continue
            if as_json:
                click.echo(json.dumps(line))
            else:
                console.print(line_of(from_plain(line, Event)))
    return "the node is gone" if request["follow"] else None


def line_of(event: Event) -> str:
    """In rich's markup: when, where, what, why, by whom."""
    at = datetime.fromtimestamp(event.at).astimezone()
    stamp = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"
    why = f" [dim]({escape(event.reason)})[/]" if event.reason else ""
    who = f" [dim]by {escape(event.by)}[/]" if event.by else ""
    colour = _COLOURS[event.severity]
    words = f"[{colour}]{escape(event.words)}[/]" if colour else escape(event.words)
    return f"[dim]{stamp}[/] {escape(event.node)} {event.kind:{_KIND_WIDTH}} {words}{why}{who}"
