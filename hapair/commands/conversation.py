"""What a verb asks of the node that runs here, and what it says of the answer."""

import json
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
import trio

from hapair.admin.runtime import NotRunningError, follow
from hapair.commands.options import FAILED, NOT_RUNNING, end

Answer = Mapping[str, Any]


def last_answer(runtime_dir: Path, request: Answer, heard: Callable[[Answer], None] = lambda _: None) -> Answer:
    """The last line of what a node answers; `heard` gets each as it comes. Exits where no node does."""
    try:
        return trio.run(_ask, runtime_dir, request, heard)
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair {request['command']})")


def done_or_end(last: Answer) -> Answer:
    """A last line that says that it is done; exits where it says something else."""
    if not last.get("ok"):
        end(FAILED, last.get("words") or last.get("error") or "the node went away in the midst of it")
    return last


def aloud(*, as_json: bool, err: bool = False) -> Callable[[Answer], None]:
    """Shows each line: for machines whole, else the news in it, on stderr if `err`."""

    def heard(line: Answer) -> None:
        if as_json:
            click.echo(json.dumps(line))
        elif "news" in line:
            click.echo(line["news"], err=err)

    return heard


async def _ask(runtime_dir: Path, request: Answer, heard: Callable[[Answer], None]) -> Answer:
    last: Answer = {}
    async with aclosing(follow(runtime_dir, request)) as lines:
        async for last in lines:
            heard(last)
    return last
