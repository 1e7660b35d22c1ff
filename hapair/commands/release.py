"""`hapair release`"""

from pathlib import Path

import click

from hapair.commands.options import config_option, load_or_end, node_option, view_or_end
from vrrp.last_will import LastWill
from vrrp.linux.fencing import remove_fence


@click.command("release")
@config_option
@node_option
def command(path: Path, node: str | None) -> None:
    """Remove the addresses that a dead hapair left on this machine's interfaces; only its own, by their tag."""
    config = view_or_end(load_or_end(path), node)
    remove_fence()
    for address in LastWill(config.routers).release_all():
        click.echo(f"removed {address}")
