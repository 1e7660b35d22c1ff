"""`hapair check`"""

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hapair.certificates.check import check_certificates, pool_material
from hapair.commands.options import BAD_CONFIG, FAILED, config_option, json_option
from hapair.config import ConfigError, Loaded, load, read_pages
from hapair.probe_once import Seen, probe_all
from hapair.probe_once import as_json as seen_as_json


@click.command("check")
@config_option
@json_option
@click.option("--probe", "probe", is_flag=True, help="Run every check once and show what it saw; 1 if one failed.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def command(path: Path, as_json: bool, probe: bool, file: Path | None) -> None:
    """Check FILE and say everything that is wrong with it. Changes nothing."""
    try:
        loaded = load(file or path)
        read_pages(loaded)
        warnings = [*loaded.warnings, *check_certificates(loaded)]
    except ConfigError as error:
        click.echo(_json(error) if as_json else str(error), err=not as_json)
        raise SystemExit(BAD_CONFIG) from None
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if probe:
        _probe(loaded, as_json)
        return
    click.echo(json.dumps({"problems": [], "warnings": warnings}) if as_json else _summary(loaded))


def _probe(loaded: Loaded, as_json: bool) -> None:
    seen = probe_all(loaded.file.pools, pool_material(loaded))
    if as_json:
        click.echo(seen_as_json(seen))
    else:
        _show(seen, Console() if sys.stdout.isatty() else Console(width=200))
    if any(one.ok is False for one in seen):
        raise SystemExit(FAILED)


def _show(seen: list[Seen], console: Console) -> None:
    """For a person."""
    if not seen:
        click.echo("no pool has a check")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("pool", "server", "check", "where", "passes", "took", "said"):
        table.add_column(column, header_style="dim", no_wrap=True)
    for one in seen:
        passes = {True: "[green]yes[/]", False: "[bold red]no[/]", None: "[yellow]not asked[/]"}[one.ok]
        took = f"{one.duration_ms:g} ms"
        table.add_row(escape(one.pool), escape(one.server), one.kind, one.target, passes, took, escape(one.said))
    console.print(table)


def _json(error: ConfigError) -> str:
    problems = [
        {"line": p.position.line, "column": p.position.column, "where": p.where, "message": p.message}
        for p in error.problems
    ]
    return json.dumps({"file": error.file, "problems": problems, "warnings": []})


def _summary(loaded: Loaded) -> str:
    file = loaded.file
    counts = [
        (len(file.pair.nodes), "node"),
        (len(file.virtual_routers), "virtual router"),
        (len(file.frontends), "frontend"),
        (len(file.pools), "pool"),
    ]
    parts = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts]
    return f"{loaded.path} holds together: {', '.join(parts)}"
