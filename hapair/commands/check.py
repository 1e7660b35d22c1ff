"""`hapair check`"""

import json
import sys
from pathlib import Path

import click
import trio
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from balancer.kernel import nft
from hapair.certificates.check import check_certificates, pool_material
from hapair.commands.conversation import aloud, last_answer
from hapair.commands.options import (
    BAD_CONFIG,
    FAILED,
    config_option,
    end,
    json_option,
    load_or_end,
    node_option,
    pages_or_end,
    runtime_option,
    view_or_end,
)
from hapair.commands.reload import show
from hapair.config import ConfigError, Loaded, load, read_pages
from hapair.doctor import NO_SYN_PROXY
from hapair.opening import opening_of
from hapair.probe_once import Seen, probe_all
from hapair.probe_once import as_json as seen_as_json
from hapair.reload.plan import Served, make_plan
from hapair.secret import SecretError
from hapair.this_machine import odd_here, this_machine


def _of_this_kernel(loaded: Loaded) -> list[str]:
    """What the file asks for and this machine's kernel does not have."""
    asks = any(frontend.syn_proxy for frontend in loaded.file.frontends.values())
    return [NO_SYN_PROXY] if asks and not trio.run(nft.knows_synproxy) else []


@click.command("check")
@config_option
@json_option
@click.option("--probe", "probe", is_flag=True, help="Run every check once and show what it saw; 1 if one failed.")
@click.option("--diff", "diff", is_flag=True, help="Show what a reload would change on the node that runs here.")
@click.option(
    "--against",
    "against",
    default=None,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="With --diff: in place of a running node, one that runs this file.",
)
@node_option
@runtime_option
@click.argument("file", required=False, type=click.Path(path_type=Path))
def command(
    path: Path,
    as_json: bool,
    probe: bool,
    diff: bool,
    against: Path | None,
    node: str | None,
    runtime_dir: Path,
    file: Path | None,
) -> None:
    """Check FILE and say everything that is wrong with it. Changes nothing.

    Without FILE the file of this machine's own is checked, and whether this machine is as it says.
    """
    try:
        loaded = load(file or path)
        read_pages(loaded)
        warnings = [*loaded.warnings, *check_certificates(loaded), *_of_this_kernel(loaded)]
        if file is None:  # then it is the file that this machine runs, or is to run
            warnings += odd_here(loaded, this_machine(), node)
    except ConfigError as error:
        click.echo(_json(error) if as_json else str(error), err=not as_json)
        raise SystemExit(BAD_CONFIG) from None
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    if diff and against is None:
        _ask_node((file or path).absolute(), runtime_dir, as_json=as_json)
        return
    if diff and against is not None:
        _compare(against, file or path, node, as_json=as_json)
        return
    if probe:
        _probe(loaded, as_json)
        return
    click.echo(json.dumps({"problems": [], "warnings": warnings}) if as_json else _summary(loaded))


def _ask_node(path: Path, runtime_dir: Path, *, as_json: bool) -> None:
    request = {"command": "reload", "dry_run": True, "path": str(path)}
    last = last_answer(runtime_dir, request, aloud(as_json=as_json, err=True))
    if not last.get("ok"):
        end(FAILED, last.get("words") or last.get("error") or "the node went away")
    if not as_json:
        show(last)


def _compare(before: Path, after: Path, node: str | None, *, as_json: bool) -> None:
    """As a node would see it that holds VIPs."""
    served = [_served(path, node) for path in (before, after)]
    plan = make_plan(served[0], served[1], served[0].config.balancer.frontends)
    told = {
        "ok": True,
        "words": plan.words([router.name for router in served[0].opening.routers]),
        "changes": plan.lines,
    }
    if as_json:
        click.echo(json.dumps(told))
    else:
        show(told)


def _served(path: Path, node: str | None) -> Served:
    loaded = load_or_end(path)
    config = view_or_end(loaded, node or next(iter(loaded.file.pair.nodes)))
    config = pages_or_end(loaded, config)
    try:
        opening = opening_of(config)
    except SecretError as error:
        end(FAILED, str(error))
    return Served(file=loaded.file, config=config, opening=opening)


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
