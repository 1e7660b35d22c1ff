"""`hapair maintenance`"""

import json
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
import trio

from hapair.admin.runtime import NotRunningError, follow
from hapair.commands.options import FAILED, NOT_RUNNING, end, json_option, runtime_option


@click.command("maintenance")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.option("--force", is_flag=True, help="Go even where the peer does not take over.")
@runtime_option
@json_option
def command(state: str, force: bool, runtime_dir: Path, as_json: bool) -> None:
    """Take this node out of the pair, or back into it.

    on: the peer takes over first, open connections go on here until they end, and this node holds no virtual IP address
    until it is off again, also over a restart. Where the peer does not take over nothing changes, unless with --force.
    """
    request = {"command": "maintenance", "on": state == "on", "force": force}
    try:
        last = trio.run(_tell, runtime_dir, request, as_json)
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair maintenance)")
    if not last.get("ok"):
        end(FAILED, last.get("words") or last.get("error") or "the node went away in the midst of it")
    if not as_json:
        click.echo(last["words"])


async def _tell(runtime_dir: Path, request: Mapping[str, Any], as_json: bool) -> Mapping[str, Any]:
    last: Mapping[str, Any] = {}
    async with aclosing(follow(runtime_dir, request)) as lines:
        async for last in lines:
            if as_json:
                click.echo(json.dumps(last))
            elif "news" in last:
                click.echo(last["news"])
    return last
