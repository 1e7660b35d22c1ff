"""`hapair up`"""

from functools import partial
from pathlib import Path

import click
import trio

from balancer.listener import ListenFailed
from hapair import logs, privileges
from hapair.admin.runtime import AlreadyRunningError
from hapair.commands.options import (
    FAILED,
    config_option,
    end,
    load_or_end,
    node_option,
    pages_or_end,
    runtime_option,
    view_or_end,
)
from hapair.node import StartError, run_node


@click.command("up")
@config_option
@node_option
@runtime_option
@click.option(
    "--log-level", default="info", show_default=True, type=click.Choice(["debug", "info", "warning", "error"])
)
@click.option("--log-format", default="text", show_default=True, type=click.Choice(["text", "json"]))
@click.option(
    "--record",
    "record_to",
    default=None,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write down everything that the virtual routers are told and decide, for whoever looks into a fault.",
)
def command(
    path: Path, node: str | None, runtime_dir: Path, log_level: str, log_format: str, record_to: Path | None
) -> None:
    """Run this node until SIGTERM or Ctrl-C: then the peer takes over, open connections finish, and it ends."""
    logs.choose(log_level.upper(), log_format)
    logs.set_up("node")
    privileges.leave_no_core()
    loaded = load_or_end(path)
    config = pages_or_end(loaded, view_or_end(loaded, node))
    for warning in loaded.warnings:
        click.echo(f"hapair: warning: {warning}", err=True)
    try:
        trio.run(partial(run_node, loaded, config, path=str(path), runtime=runtime_dir, record_to=record_to))
    except (StartError, ListenFailed, AlreadyRunningError) as error:
        end(FAILED, str(error))
    except PermissionError as error:
        end(
            FAILED, f"{error.filename or runtime_dir}: {error.strerror}; start hapair as root, or use --runtime-dir DIR"
        )
