"""`hapair server`"""

import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
import trio

from hapair.admin.runtime import NotRunningError, follow
from hapair.commands.options import FAILED, NOT_RUNNING, end, json_option, runtime_option


class _Weight(click.ParamType[int | str]):
    name = "0-256|file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == "file":
            return value
        if not (value.isascii() and value.isdigit() and int(value) <= 256):
            self.fail("must be from 0 to 256, or file", param, ctx)
        return int(value)


@click.command("server")
@click.argument("name", metavar="POOL/SERVER")
@click.argument("admin", metavar="[ready|drain|maint]", required=False, type=click.Choice(["ready", "drain", "maint"]))
@click.option("--weight", default=None, type=_Weight(), help="Instead of the file's; `file` for that again.")
@click.option("--local", is_flag=True, help="On this node alone; without it, on both.")
@runtime_option
@json_option
def command(
    name: str, admin: str | None, weight: int | str | None, local: bool, runtime_dir: Path, as_json: bool
) -> None:
    """Take a server out of service on both nodes, or back, or change its weight.

    drain: no new work but what belongs there by persistence; checks go on. maint: no work at all, and no checks.
    It holds until it is said otherwise, over restarts and reloads; of a weight, until the file has another one.
    """
    if admin is None and weight is None:
        raise click.UsageError("say what is to become of it: ready, drain, maint or --weight")
    try:
        wanted = {"server": name, "admin": admin, "weight": weight, "local": local}
        answer = trio.run(_ask, runtime_dir, {"command": "server", **wanted})
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair server)")
    if not answer.get("ok"):
        end(FAILED, answer.get("words") or answer.get("error") or "the node went away in the midst of it")
    click.echo(json.dumps(answer) if as_json else answer["words"])


async def _ask(runtime_dir: Path, request: dict[str, Any]) -> dict[str, Any]:
    async with aclosing(follow(runtime_dir, request)) as lines:
        async for answer in lines:
            return dict(answer)
    return {}
