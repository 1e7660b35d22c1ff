"""`hapair handover`"""

from pathlib import Path

import click

from hapair.commands.conversation import aloud, done_or_end, last_answer
from hapair.commands.options import json_option, runtime_option


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
    request = {"command": "handover", "to": to}
    last = done_or_end(last_answer(runtime_dir, request, aloud(as_json=as_json)))
    if not as_json:
        click.echo(last["words"])
