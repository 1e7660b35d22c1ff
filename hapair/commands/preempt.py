"""`hapair preempt`"""

import json
from pathlib import Path

import click
import trio

from hapair.admin.runtime import NotRunningError, ask
from hapair.commands.options import FAILED, NOT_RUNNING, end, json_option, runtime_option


@click.command("preempt")
@runtime_option
@json_option
def command(runtime_dir: Path, as_json: bool) -> None:
    """Let this node preempt again, as its file says.

    After a handover, a maintenance or a resignation a node does not take the virtual IP addresses back by itself until
    its peer fails. This ends that. To bring them here whatever the priorities are, say `hapair handover --to` and the
    name of this node.
    """
    try:
        answer = trio.run(ask, runtime_dir, "preempt")
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair preempt)")
    if as_json:
        click.echo(json.dumps(answer))
    if not answer.get("ok"):
        end(FAILED, answer.get("words") or answer.get("error"))
    if not as_json:
        click.echo(answer["words"])
