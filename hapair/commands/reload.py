"""`hapair reload`"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hapair.commands.conversation import aloud, done_or_end, last_answer
from hapair.commands.options import json_option, runtime_option


@click.command("reload")
@runtime_option
@json_option
def command(runtime_dir: Path, as_json: bool) -> None:
    """Have the node that runs here go on with its file as it is now. A file that is not right changes nothing.

    Open connections live on, virtual IP addresses stay where they are. What a reload would do: hapair check --diff.
    """
    heard = aloud(as_json=as_json, err=True)
    last = done_or_end(last_answer(runtime_dir, {"command": "reload"}, heard))
    if not as_json:
        show(last)


def show(last: Mapping[str, Any]) -> None:
    """The changes, and what becomes of them."""
    for change in last["changes"]:
        click.echo(change)
    click.echo(last["words"])
