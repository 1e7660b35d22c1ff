"""`hapair reload`"""

import json
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
import trio

from hapair.admin.runtime import NotRunningError, follow
from hapair.commands.options import FAILED, NOT_RUNNING, end, json_option, runtime_option


@click.command("reload")
@runtime_option
@json_option
def command(runtime_dir: Path, as_json: bool) -> None:
    """Have the node that runs here go on with its file as it is now. A file that is not right changes nothing.

    Open connections live on, virtual IP addresses stay where they are. What a reload would do: hapair check --diff.
    """
    last = ask_or_end(runtime_dir, {"command": "reload"}, as_json=as_json)
    if not last.get("ok"):
        end(FAILED, last.get("words") or last.get("error") or "the node went away in the midst of it")
    if not as_json:
        show(last)


def ask_or_end(runtime_dir: Path, request: Mapping[str, Any], *, as_json: bool) -> Mapping[str, Any]:
    """The last line of what a node answers; those before it are shown. Exits where no node does."""
    try:
        return trio.run(_ask, runtime_dir, request, as_json)
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair {request['command']})")


async def _ask(runtime_dir: Path, request: Mapping[str, Any], as_json: bool) -> Mapping[str, Any]:
    last: Mapping[str, Any] = {}
    async with aclosing(follow(runtime_dir, request)) as lines:
        async for last in lines:
            if as_json:
                click.echo(json.dumps(last))
            elif "news" in last:
                click.echo(last["news"], err=True)
    return last


def show(last: Mapping[str, Any]) -> None:
    """The changes, and what becomes of them."""
    for change in last["changes"]:
        click.echo(change)
    click.echo(last["words"])
