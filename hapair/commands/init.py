"""`hapair init`"""

import shlex
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from hapair import secret
from hapair.commands.options import FAILED, config_option, end, node_option
from hapair.config import ConfigError, load

DEFAULT_NAME = "pair.key"


@dataclass(frozen=True, slots=True)
class _Known:
    """What the file says already; it may not be there yet, or not hold together."""

    name: str = DEFAULT_NAME
    is_named: bool = False
    nodes: Mapping[str, str] = field(default_factory=dict)


@click.command("init")
@config_option
@node_option
def command(path: Path, node: str | None) -> None:
    """Make the secret that the nodes of a pair share, on one of them, and say what is to be done with it."""
    known = _known(path)
    key = (path.parent / known.name).absolute()
    group = secret.group_of_service()
    try:
        secret.make(key, group=group)
    except secret.SecretError as error:
        end(FAILED, str(error))
    click.echo(f"made {key}, which only its owner{'' if group is None else ' and the group hapair'} can read")
    for step in _steps(path, key, known, node or socket.gethostname(), for_service=group is not None):
        click.echo(f"\n{step}")


def _known(path: Path) -> _Known:
    try:
        pair = load(path).file.pair
    except ConfigError:
        return _Known()
    return _Known(pair.secret_file or DEFAULT_NAME, pair.secret_file is not None, pair.nodes)


def _steps(path: Path, key: Path, known: _Known, node: str, *, for_service: bool) -> Iterator[str]:
    if not known.is_named:
        yield f"Name it in {path}, on both nodes:\n\n  pair:\n    secret_file: {known.name}"
    others = [address for name, address in known.nodes.items() if name != node] or ["THE-OTHER-NODE"]
    copies = "\n".join(f"  sudo scp -p {shlex.quote(str(key))} {_target(address, key)}" for address in others)
    yield f"Copy it to the other node; it must be the same on both:\n\n{copies}"
    if for_service:
        yield f"and there let the service read it:\n\n  sudo chgrp hapair {shlex.quote(str(key))}"
    yield (
        "Then restart one node, see that it is well, and restart the other:\n\n  sudo systemctl restart hapair\n\n"
        "Where the pair is running already, write `authenticate: permissive` into its virtual routers first, and take\n"
        "it out again when both nodes have the secret: until then one of them does not sign."
    )


def _target(address: str, key: Path) -> str:
    host = f"[{address}]" if ":" in address else address
    return shlex.quote(f"root@{host}:{key}")
