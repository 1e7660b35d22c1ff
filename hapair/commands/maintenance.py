"""`hapair maintenance`"""

from pathlib import Path

import click

from hapair.commands.conversation import aloud, done_or_end, last_answer
from hapair.commands.options import json_option, runtime_option


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
    last = done_or_end(last_answer(runtime_dir, request, aloud(as_json=as_json)))
    if not as_json:
        click.echo(last["words"])
