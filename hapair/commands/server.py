"""`hapair server`"""

import json
from pathlib import Path
from typing import Any

import click

from hapair.commands.conversation import done_or_end, last_answer
from hapair.commands.options import json_option, runtime_option

_VERBS = ("ready", "drain", "maint", "add", "remove")


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
@click.argument("verb", metavar="[ready|drain|maint|add|remove]", required=False, type=click.Choice(_VERBS))
@click.argument("address", metavar="[ADDRESS:PORT]", required=False)
@click.option("--weight", default=None, type=_Weight(), help="Instead of the file's; `file` for that again.")
@click.option("--max-connections", default=None, type=click.IntRange(1), help="Of a server that is added.")
@click.option("--backup", is_flag=True, help="A server that is added is used while no other is usable.")
@click.option("--unchecked", is_flag=True, help="A server that is added is taken to be UP.")
@click.option("--maint", "in_maint", is_flag=True, help="A server that is added begins in MAINT.")
@click.option("--local", is_flag=True, help="On this node alone; without it, on both.")
@runtime_option
@json_option
def command(
    name: str,
    verb: str | None,
    address: str | None,
    weight: int | str | None,
    max_connections: int | None,
    backup: bool,
    unchecked: bool,
    in_maint: bool,
    local: bool,
    runtime_dir: Path,
    as_json: bool,
) -> None:
    """Take a server out of service on both nodes, or back, or change its weight; add one to a pool, or remove it.

    drain: no new work but what belongs there by persistence; checks go on. maint: no work at all, and no checks.
    add: a server that no file has, READY at once. remove: one that is in MAINT, and has no connections.
    It holds until it is said otherwise, over restarts and reloads; all but drain and maint until the file says
    something else of the same.
    """
    wanted: dict[str, Any] = {"server": name, "weight": weight, "local": local}
    new: dict[str, Any] = {
        "max_connections": max_connections,
        "backup": backup or None,
        "check": False if unchecked else None,
    }
    if in_maint:
        new["admin"] = "maint"
    if verb != "add" and (address is not None or any(one is not None for one in new.values())):
        raise click.UsageError("an address, and all but --weight and --local, is for a server to add")
    if verb == "add":
        if address is None:
            raise click.UsageError("say where the server is: hapair server POOL/SERVER add ADDRESS:PORT")
        wanted |= {"action": "add", "address": address, **new}
    elif verb == "remove":
        wanted |= {"action": "remove"}
    elif verb is None and weight is None:
        raise click.UsageError("say what is to become of it: ready, drain, maint, add, remove or --weight")
    else:
        wanted |= {"admin": verb}
    answer = done_or_end(last_answer(runtime_dir, {"command": "server", **wanted}))
    click.echo(json.dumps(answer) if as_json else answer["words"])
