"""`hapair demo`"""

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click
import trio
from rich.console import Console
from rich.live import Live

from hapair.lab.demo import Result, Stage, demonstrate
from hapair.lab.entry import MARK, enter, find_obstacle, in_user_namespace, inside
from hapair.lab.network import open_lab
from hapair.lab.page import page
from hapair.lab.pair import Pair, SetupError, bring_up, furnish, measuring
from hapair.lab.programs import Hapair, at, hapair
from hapair.lab.report import document
from hapair.lab.screen import Screen, conclude
from hapair.lab.trial import Note

DONE, FAILED, INTERRUPTED = 0, 1, 130


@click.command("demo")
@click.option("--json", "as_json", is_flag=True, help="Write the result as a document for machines.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C, to look around.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page that shows what happened.")
def command(as_json: bool, keep: bool, html: Path | None) -> None:
    """Two nodes, a client and three web servers on this machine: kill the Active node three ways and watch.

    Everything runs in network namespaces of its own and is gone afterwards. Exit status 0: every takeover happened and
    no node was left with a VIP that was no longer its own.
    """
    if not inside():
        sys.exit(_go_inside())
    sys.exit(trio.run(_until_interrupted, as_json, keep, html))


def _go_inside() -> int:
    obstacle = find_obstacle()
    if obstacle is None:
        return enter([sys.executable, "-m", "hapair", *sys.argv[1:]])
    click.echo(f"hapair: {obstacle}", err=True)
    return FAILED


async def _until_interrupted(as_json: bool, keep: bool, html: Path | None) -> int:
    status = INTERRUPTED
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_signal, nursery.cancel_scope)
        try:
            status = await _run(as_json, keep, html)
        except* SetupError as group:
            click.echo(f"hapair: {_leaf(group)}", err=True)
            status = FAILED
        nursery.cancel_scope.cancel()
    return status


def _leaf(error: BaseException) -> BaseException:
    return _leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _cancel_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for _ in signals:
            scope.cancel()


async def _run(as_json: bool, keep: bool, html: Path | None) -> int:
    async with open_lab() as lab:
        pair = await furnish(lab, Hapair())
        await bring_up(pair)
        async with measuring(pair) as measurement:
            stage = Stage(pair, measurement, time.monotonic())
            view, told = _view(stage)
            with view:
                result = await demonstrate(stage, told)
        _publish(result, as_json, html)
        if keep:
            await _keep(pair)
    return DONE if result.passed else FAILED


def _view(stage: Stage) -> tuple[AbstractContextManager[object], Callable[[Note], None]]:
    """Something live on a terminal, else a line for each thing that happens. On stderr: stdout is for the result."""
    console = Console(stderr=True)
    if console.is_terminal:
        return Live(Screen(stage), console=console, refresh_per_second=8, transient=True), lambda note: None
    return nullcontext(), lambda note: click.echo(f"{note.at - stage.began_at:6.2f} s  {note.text}", err=True)


def _publish(result: Result, as_json: bool, html: Path | None) -> None:
    if html is not None:
        html.write_text(page(result), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(document(result), indent=2))
    else:
        conclude(Console(width=None if sys.stdout.isatty() else 140), result)


async def _keep(pair: Pair) -> None:
    click.echo("\n" + look_around(pair), err=True)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        await anext(aiter(signals))


def look_around(pair: Pair) -> str:
    """What to type in another terminal to see the lab from inside."""
    options = " --preserve-credentials" if in_user_namespace() else ""
    lab = f"nsenter -t {os.environ[MARK]} -a{options}"
    node = next(iter(pair.nodes))
    return f"""\
The lab goes on running until Ctrl-C. In another terminal:
  {lab}
opens a shell in the lab; there, for example:
    ip netns exec {node} ip address
    ip netns exec {node} {shlex.join([*hapair("status"), *at(pair.nodes[node])])}
    ip netns exec client curl http://{pair.plan.vip}/
    tail -f {pair.nodes[node].folder}/hapair.log
    ip -n lan link set {node} down          # pull the cable of {node}; up puts it back
"""
