"""Options that several verbs share, and how a verb ends."""

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import click

from hapair.config import ConfigError, Loaded, NodeConfig, UnknownNodeError, load, node_view, read_pages

DONE, FAILED, NOT_RUNNING, BAD_CONFIG = 0, 1, 3, 78

config_option = click.option(
    "-c",
    "--config",
    "path",
    default="/etc/hapair/hapair.yaml",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The file, the same on both nodes.",
)
node_option = click.option("--node", default=None, help="This node's name in pair.nodes; its host name by default.")
runtime_option = click.option(
    "--runtime-dir",
    default=lambda: os.environ.get("RUNTIME_DIRECTORY", "/run/hapair"),
    show_default="/run/hapair",
    type=click.Path(path_type=Path),
    help="Where the runtime socket is.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="For machines.")


def end(status: int, message: str) -> NoReturn:
    """One line on stderr, and the exit status."""
    click.echo(f"hapair: {message}", err=True)
    sys.exit(status)


def load_or_end(path: Path) -> Loaded:
    """The file; exits with 78 after saying everything that is wrong with it."""
    try:
        return load(path)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_CONFIG)


def pages_or_end(loaded: Loaded, config: NodeConfig) -> NodeConfig:
    """The same with the text of the files that it names; exits with 78 where one cannot be read."""
    try:
        files = read_pages(loaded)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_CONFIG)
    return replace(config, balancer=replace(config.balancer, files=files))


def view_or_end(loaded: Loaded, node: str | None) -> NodeConfig:
    """The file as this node sees it; exits with 78 where the node is not in it."""
    try:
        return node_view(loaded, node or socket.gethostname())
    except UnknownNodeError as error:
        end(BAD_CONFIG, str(error))
