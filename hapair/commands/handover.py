"""`hapair handover`"""

import json
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
import trio

from hapair.admin.runtime import NotRunningError, follow
from hapair.commands.options import FAILED, NOT_RUNNING, end, json_option, runtime_option


@click.command("handover")
@click.option(
    "--to",
    "to",
    metavar="NODE",
    default=None,
    help="The node that is to take over: the peer, or this one, whose peer is then asked to hand over.",
)
@runtime_option
@json_option
def command(to: str | None, runtime_dir: Path, as_json: bool) -> None:
    """Hand the virtual IP addresses of this node over to its peer; open connections go on here until they end.

    Ends when the peer holds them, or says why it does not. This node does not take them back by itself. With the name
    of this node as NODE it is the other way round: the peer hands over to this one.
    """
    try:
        last = trio.run(_hand_over, runtime_dir, to, as_json)
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair handover)")
    if not last.get("ok"):
        end(FAILED, last.get("words") or last.get("error") or "the node went away in the midst of it")
    if not as_json:
        click.echo(last["words"])


async def _hand_over(runtime_dir: Path, to: str | None, as_json: bool) -> Mapping[str, Any]:
    last: Mapping[str, Any] = {}
    async with aclosing(follow(runtime_dir, {"command": "handover", "to": to})) as lines:
        async for last in lines:
            if as_json:
                click.echo(json.dumps(last))
            elif "news" in last:
                click.echo(last["news"])
    return last
