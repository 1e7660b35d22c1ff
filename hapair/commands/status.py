"""`hapair status`"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import trio
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hapair.admin.runtime import NotRunningError, ask
from hapair.commands.options import FAILED, NOT_RUNNING, end, json_option, runtime_option
from hapair.snapshot import (
    EXPIRES_SOON_S,
    CertificateView,
    FlowsView,
    FrontendView,
    LinkView,
    NodeSnapshot,
    PoolView,
    RouterView,
    ServerView,
)
from hapair.wire import from_plain


@click.command("status")
@runtime_option
@json_option
def command(runtime_dir: Path, as_json: bool) -> None:
    """Show what the node on this machine does: its role, VIPs, frontends, servers, and what to look at."""
    plain = _fetch(runtime_dir)
    if as_json:
        click.echo(json.dumps(plain))
    else:
        show(from_plain(plain, NodeSnapshot), _console())


def _fetch(runtime_dir: Path) -> Any:
    try:
        return trio.run(ask, runtime_dir, "status")
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair status)")


def _console() -> Console:
    """As wide as the terminal; wide enough for everything where there is none (a file, a pipe)."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def show(node: NodeSnapshot, console: Console) -> None:
    """The snapshot for a person."""
    colour = "green" if node.role == "ACTIVE" else "cyan"
    head = f"[bold]{escape(node.node)}[/] is [bold {colour}]{node.role}[/], up for {span(node.uptime_s)}"
    console.print(f"{head}, {escape(node.config)}")
    for warning in node.warnings:
        console.print(f"[yellow]! {escape(warning)}[/]")
    if node.routers:
        console.print(_routers(node.routers))
    if any(router.tracked for router in node.routers):
        console.print(_tracked(node.routers))
    if node.link is not None:
        console.print(_link(node.link))
    if node.flows is not None:
        console.print(_flows(node.flows))
    if streams := [one for one in node.frontends if one.mode != "udp"]:
        console.print(_frontends(streams))
    if datagrams := [one for one in node.frontends if one.mode == "udp"]:
        console.print(_datagrams(datagrams))
    for pool in node.pools:
        console.print(_pool(pool))
    if node.certificates:
        console.print(_certificates(node.certificates))
    console.print("  ".join(f"{p.name} {p.state} (pid {p.pid or '-'})" for p in node.processes), style="dim")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, header_style="dim", no_wrap=True)
    return table


def _routers(routers: tuple[RouterView, ...]) -> Table:
    table = _table("\nVirtual routers", "name", "vrid", "on", "state", "for", "addresses", "lease", "why")
    for one in routers:
        state = f"[bold green]{one.state}[/]" if one.state == "Active" else one.state
        vips = " ".join(f"[green]{vip}[/]" if one.state == "Active" else f"[dim]{vip}[/]" for vip in one.vips)
        lease = "-" if one.lease_age_s is None else f"{one.lease_s}s, {one.lease_age_s * 1000:.0f}ms old"
        why = f"waits for {one.waiting_for}" if one.waiting_for else one.reason
        age = "-" if one.since_s is None else span(one.since_s)
        table.add_row(escape(one.name), str(one.vrid), escape(one.interface), state, age, vips, lease, escape(why))
    return table


def _tracked(routers: tuple[RouterView, ...]) -> Table:
    table = _table("\nTracked", "router", "what", "weight", "well", "for", "why")
    for router in routers:
        for one in router.tracked:
            well = "[green]yes[/]" if one.ok else "[bold red]no[/]"
            weight = "gate" if one.weight is None else f"{one.weight:+d}"
            age = "-" if one.since_s is None else span(one.since_s)
            table.add_row(escape(router.name), escape(one.name), weight, well, age, escape(one.reason))
    return table


def _link(link: LinkView) -> str:
    state = "[green]up[/]" if link.up else "[bold red]down[/]"
    trip = "" if link.round_trip_ms is None else f", round trip {link.round_trip_ms:g} ms"
    lost = f", lost {link.lost} times, last: {escape(link.last_detail or '')}" if link.lost else ""
    peer = f"{escape(link.peer)} ({link.peer_address})"
    return f"\n[bold]Liveness link[/] to {peer} {state} for {span(link.since_s)}{trip}{lost}"


def _frontends(frontends: Sequence[FrontendView]) -> Table:
    table = _table(
        "\nFrontends", "name", "listen", "mode", "here", "open", "connections", "requests", "5xx", "in", "out"
    )
    for one in frontends:
        counts = one.counts
        table.add_row(
            escape(one.name),
            escape(" ".join(one.listen)),
            one.mode if one.plane == "proxy" else f"{one.mode}, {one.plane}",
            "[green]yes[/]" if one.active else "[dim]standby[/]",
            *(str(n) for n in (counts.open, counts.connections, counts.requests, counts.status_5xx)),
            size(counts.bytes_in),
            size(counts.bytes_out),
        )
        for cause, count in sorted(one.causes.items(), key=lambda item: -item[1]):
            table.add_row("", f"[dim]{count} {cause.replace('_', ' ')}[/]")
    return table


def _flows(flows: FlowsView) -> str:
    state = "[green]told to the peer[/]" if flows.up else "[bold red]not told to the peer[/]"
    lag = f"{flows.lag_s * 1000:.0f} ms late, {flows.waiting} waiting" if flows.up else f"waits for {flows.waits_for}"
    counted = f"{flows.told} known there, {flows.received} heard"
    return f"\n[bold]Flows of the kernel plane[/] {state}: {counted}, {escape(lag)}"


def _certificates(certificates: tuple[CertificateView, ...]) -> Table:
    table = _table("\nCertificates", "of", "file", "names", "key", "expires in", "why not")
    for one in certificates:
        names = escape(" ".join(one.names[:3]) + (f" and {len(one.names) - 3} more" if len(one.names) > 3 else ""))
        left = "-" if one.expires_in_s is None else span(max(0.0, one.expires_in_s))
        if one.expires_in_s is not None and one.expires_in_s < EXPIRES_SOON_S:
            left = f"[bold red]{left}[/]"
        table.add_row(escape(one.owner), escape(one.source), names, one.key, left, escape(one.trouble or ""))
    return table


def _datagrams(frontends: Sequence[FrontendView]) -> Table:
    table = _table(
        "\nFrontends of mode udp",
        "name",
        "listen",
        "here",
        "flows",
        "in all",
        "received",
        "sent",
        "dropped",
        "in",
        "out",
    )
    for one in frontends:
        counts = one.counts
        table.add_row(
            escape(one.name),
            escape(" ".join(one.listen)),
            "[green]yes[/]" if one.active else "[dim]standby[/]",
            *(str(n) for n in (counts.open, counts.connections, counts.datagrams_in, counts.datagrams_out)),
            f"[yellow]{counts.dropped}[/]" if counts.dropped else "0",
            size(counts.bytes_in),
            size(counts.bytes_out),
        )
    return table


def _pool(pool: PoolView) -> Table:
    title = f"\nPool {escape(pool.name)} ({pool.policy}, {pool.up} of {len(pool.servers)} UP)"
    table = _table(
        title, "server", "address", "weight", "health", "for", "open", "connections", "requests", "5xx", "why"
    )
    for one in pool.servers:
        health = f"[green]{one.health}[/]" if one.up else f"[bold red]{one.health}[/]"
        if one.health == "MAINT (resolution)":
            health = f"[bold yellow]{one.health}[/]"
        if one.admin != "ready":
            health = f"[bold yellow]{one.admin.upper()}[/] {'' if one.admin == 'maint' else health}".rstrip()
        counts = one.counts
        table.add_row(
            escape(one.name),
            escape(_address(one)) + (" backup" if one.backup else ""),
            str(one.weight) if one.throttle_percent == 100 else f"{one.weight} of {one.full_weight}",
            health,
            "-" if one.since_s is None else span(one.since_s),
            *(str(n) for n in (counts.open, counts.connections, counts.requests, counts.status_5xx)),
            escape(one.reason),
        )
    return table


def _address(server: ServerView) -> str:
    """With the name that it was found by."""
    if server.known_as in (None, server.address):
        return server.address
    return f"{server.address} of {server.known_as}"


def span(seconds: float) -> str:
    """12s, 3m10s, 2h05m, 4d06h"""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def size(count: int) -> str:
    """512 B, 1.5 KiB, 3.0 GiB"""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"
