"""`hapair check`"""

import json
from pathlib import Path

import click

from hapair.commands.options import BAD_CONFIG, config_option, json_option
from hapair.config import ConfigError, Loaded, load, read_pages


@click.command("check")
@config_option
@json_option
@click.argument("file", required=False, type=click.Path(path_type=Path))
def command(path: Path, as_json: bool, file: Path | None) -> None:
    """Check FILE and say everything that is wrong with it. Changes nothing."""
    try:
        loaded = load(file or path)
        read_pages(loaded)
    except ConfigError as error:
        click.echo(_json(error) if as_json else str(error), err=not as_json)
        raise SystemExit(BAD_CONFIG) from None
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(json.dumps({"problems": [], "warnings": list(loaded.warnings)}) if as_json else _summary(loaded))


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
