"""`hapair frontend`"""

import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
import trio

from hapair.admin.runtime import NotRunningError, follow
from hapair.commands.options import FAILED, NOT_RUNNING, end, json_option, runtime_option


class _Most(click.ParamType[int | str]):
    name = "number|file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == "file":
            return value
        if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 1_000_000):
            self.fail("must be from 1 to 1000000, or file", param, ctx)
        return int(value)


@click.command("frontend")
@click.argument("name", metavar="FRONTEND")
@click.argument("verb", metavar="[enable|disable]", required=False, type=click.Choice(["enable", "disable"]))
@click.option("--max-connections", default=None, type=_Most(), help="Instead of the file's; `file` for those again.")
@click.option("--local", is_flag=True, help="On this node alone; without it, on both.")
@runtime_option
@json_option
def command(
    name: str, verb: str | None, max_connections: int | str | None, local: bool, runtime_dir: Path, as_json: bool
) -> None:
    """Have a frontend listen no more on both nodes, or again, or change how many connections it takes.

    disable: connections to its addresses are refused; those that are open go on. It holds until it is said otherwise,
    over restarts and reloads; a limit, until the file has another one.
    """
    if verb is None and max_connections is None:
        raise click.UsageError("say what is to become of it: enable, disable or --max-connections")
    wanted: dict[str, Any] = {"frontend": name, "enabled": None if verb is None else verb == "enable"}
    wanted |= {"max_connections": max_connections, "local": local}
    try:
        answer = trio.run(_ask, runtime_dir, {"command": "frontend", **wanted})
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair frontend)")
    if not answer.get("ok"):
        end(FAILED, answer.get("words") or answer.get("error") or "the node went away in the midst of it")
    click.echo(json.dumps(answer) if as_json else answer["words"])


async def _ask(runtime_dir: Path, request: dict[str, Any]) -> dict[str, Any]:
    async with aclosing(follow(runtime_dir, request)) as lines:
        async for answer in lines:
            return dict(answer)
    return {}
