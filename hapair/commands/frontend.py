"""`hapair frontend`"""

import json
from pathlib import Path
from typing import Any

import click

from hapair.commands.conversation import done_or_end, last_answer
from hapair.commands.options import json_option, runtime_option


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
    answer = done_or_end(last_answer(runtime_dir, {"command": "frontend", **wanted}))
    click.echo(json.dumps(answer) if as_json else answer["words"])
