"""`hapair status`"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import trio
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from hapair.admin.runtime import NotRunningError, ask
from hapair.commands.options import FAILED, NOT_RUNNING, end, json_option, runtime_option
from hapair.commands.watching import INTERVAL_S, ended_by_ctrl_c, watch
from hapair.snapshot import (
    CertificateView,
    FlowsView,
    FrontendView,
    LinkView,
    NodeSnapshot,
    PeerView,
    PoolView,
    RouterView,
    ServerView,
)
from hapair.snapshot_warnings import EXPIRES_SOON_S
from hapair.wire import from_plain


@click.command("status")
@click.option("--watch", "watches", is_flag=True, help="Again each second, until q or Ctrl-C.")
@click.option("--peer", "of_peer", is_flag=True, help="The other node, as it was last heard.")
@runtime_option
@json_option
def command(watches: bool, of_peer: bool, runtime_dir: Path, as_json: bool) -> None:
    """Show what the node on this machine does: its role, VIPs, frontends, servers, what to look at, and its peer."""
    if watches:
        with suppress(BrokenPipeError), ended_by_ctrl_c():
            trio.run(watch_status, runtime_dir, of_peer, as_json)
        return
    try:
        plain = chosen(_fetch(runtime_dir), of_peer)
    except NothingHeardError as error:
        end(FAILED, str(error))
    if as_json:
        click.echo(json.dumps(plain))
    else:
        show(from_plain(plain, NodeSnapshot), _console())


class NothingHeardError(Exception):
    """There is no peer, or it has said nothing yet."""


def chosen(plain: Any, of_peer: bool) -> Any:
    """The node's own status, or that of its peer. Raises NothingHeardError."""
    if not of_peer:
        return plain
    peer = plain.get("peer")
    if peer is None:
        raise NothingHeardError("this node has no peer that it could hear: that needs pair.secret_file, and two nodes")
    if peer["snapshot"] is None:
        why = peer["trouble"] or f"it waits for {peer['waits_for']}"
        raise NothingHeardError(f"nothing was heard of {peer['name']} yet: {why}")
    return peer["snapshot"]


def _fetch(runtime_dir: Path) -> Any:
    try:
        return trio.run(ask, runtime_dir, "status")
    except NotRunningError as error:
        end(NOT_RUNNING, str(error))
    except PermissionError:
        end(FAILED, f"no permission to ask on {runtime_dir}; try it as root (sudo hapair status)")


async def watch_status(runtime_dir: Path, of_peer: bool, as_json: bool) -> None:
    """Again and again. A node that is gone may come back."""

    async def draw() -> RenderableType:
        plain = await _look(runtime_dir, of_peer)
        if "error" in plain:
            return f"[bold red]{escape(plain['error'])}[/]"
        return Group(f"[dim]{datetime.now().astimezone():%H:%M:%S}[/]", *parts(from_plain(plain, NodeSnapshot)))

    while as_json:
        click.echo(json.dumps(await _look(runtime_dir, of_peer)))
        await trio.sleep(INTERVAL_S)
    await watch(draw, console=_console())


async def _look(runtime_dir: Path, of_peer: bool) -> Any:
    try:
        return chosen(await ask(runtime_dir, "status"), of_peer)
    except (NotRunningError, NothingHeardError) as error:
        return {"error": str(error)}
    except PermissionError:
        return {"error": f"no permission to ask on {runtime_dir}; try it as root (sudo hapair status)"}


def _console() -> Console:
    """As wide as the terminal; wide enough for everything where there is none (a file, a pipe)."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def show(node: NodeSnapshot, console: Console) -> None:
    """The snapshot for a person."""
    for part in parts(node):
        console.print(part)


def parts(node: NodeSnapshot) -> Iterator[RenderableType]:
    """The same, one below the other."""
    colour = "green" if node.role == "ACTIVE" else "cyan"
    head = f"[bold]{escape(node.node)}[/] is [bold {colour}]{node.role}[/], up for {span(node.uptime_s)}"
    if node.maintenance is not None:
        head += " in [bold yellow]MAINTENANCE[/]"
    yield f"{head}, {escape(node.config)}"
    if node.peer is not None:
        yield _peer(node.peer)
    for warning in (*node.warnings, *(() if node.peer is None else node.peer.warnings)):
        yield f"[yellow]! {escape(warning)}[/]"
    there = None if node.peer is None else _there(node.peer)
    if node.routers:
        yield _routers(node, there)
    if any(router.tracked for router in node.routers):
        yield _tracked(node.routers)
    if node.link is not None:
        yield _link(node.link)
    if node.flows is not None:
        yield _flows(node.flows)
    if streams := [one for one in node.frontends if one.mode != "udp"]:
        yield _frontends(streams)
    if datagrams := [one for one in node.frontends if one.mode == "udp"]:
        yield _datagrams(datagrams)
    for pool in node.pools:
        yield _pool(pool, there)
    if node.persistence:
        yield _persistence(node)
    if node.certificates:
        yield _certificates(node.certificates)
    yield "[dim]" + "  ".join(f"{p.name} {p.state} (pid {p.pid or '-'})" for p in node.processes) + "[/]"


def _there(peer: PeerView) -> NodeSnapshot | None:
    """What the other node last said of itself; where it is not heard, under a name that says since when."""
    if peer.up or peer.snapshot is None or peer.age_s is None:
        return peer.snapshot
    return replace(peer.snapshot, node=f"{peer.snapshot.node} {span(peer.age_s)} ago")


def _peer(peer: PeerView) -> str:
    """One line; a peer that is not heard is said so, with since when."""
    name = f"[bold]{escape(peer.name)}[/] ({peer.address})"
    snapshot = peer.snapshot
    if not peer.up:
        why = f"waits for {peer.waits_for}" if peer.waits_for else "no reason known"
        line = f"{name} is [bold red]not heard[/] for {span(peer.since_s)}: {escape(why)}"
        if snapshot is None or peer.age_s is None:
            return line
        return f"{line}; it was {snapshot.role} {span(peer.age_s)} ago"
    if snapshot is None or peer.age_s is None:
        return f"{name} is heard, and has said nothing of itself yet"
    colour = "green" if snapshot.role == "ACTIVE" else "cyan"
    up = f"up for {span(snapshot.uptime_s)}, hapair {escape(snapshot.hapair)}"
    role = f"[bold {colour}]{snapshot.role}[/]"
    if snapshot.maintenance is not None:
        role += " in [bold yellow]MAINTENANCE[/]"
    return f"{name} is {role}, {up}, as of {peer.age_s:.1f}s ago"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, header_style="dim", no_wrap=True)
    return table


def _routers(node: NodeSnapshot, there: NodeSnapshot | None) -> Table:
    """Of both nodes, where the other one is known."""
    columns = ("name", "vrid", "on", "state", "for", "addresses", "lease", "why")
    table = _table("\nVirtual routers", *(() if there is None else ("node",)), *columns)
    of_both = [(node.node, one) for one in node.routers]
    of_both += [] if there is None else [(there.node, one) for one in there.routers]
    for owner, one in sorted(of_both, key=lambda pair: pair[1].name):
        name = () if there is None else (escape(owner),)
        state = f"[bold green]{one.state}[/]" if one.state == "Active" else one.state
        vips = " ".join(f"[green]{vip}[/]" if one.state == "Active" else f"[dim]{vip}[/]" for vip in one.vips)
        lease = (
            f"{one.lease_s}s, {one.lease_age_s * 1000:.0f}ms old"
            if one.vips_held and one.lease_age_s is not None
            else "-"
        )
        why = f"waits for {one.waiting_for}" if one.waiting_for else one.reason
        age = "-" if one.since_s is None else span(one.since_s)
        row = (escape(one.name), str(one.vrid), escape(one.interface), state, age, vips, lease, escape(why))
        table.add_row(*name, *row)
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
    each = ", ".join(f"{name} {count}" for name, count in sorted(flows.open.items()))
    counted = f"{flows.told} known there{f' ({each})' if each else ''}, {flows.received} heard"
    return f"\n[bold]Flows of the kernel plane[/] {state}: {escape(counted)}, {escape(lag)}"


def _persistence(node: NodeSnapshot) -> Table:
    """Cookies by what became of them, and clients that are known by their address."""
    heading, peer = "\nClients that come back", node.persistence_peer
    if peer is not None:
        lag = f"{peer.lag_s * 1000:.0f} ms late, {peer.waiting} waiting" if peer.up else "not told to the peer"
        heading += f" ({lag})"
    table = _table(heading, "pool", "cookie", *_VERDICTS, "addresses", "evicted")
    for one in node.persistence:
        table.add_row(
            escape(one.pool),
            escape(one.cookie or "-"),
            *("-" if one.cookie is None else str(one.cookies.get(verdict, 0)) for verdict in _VERDICTS),
            *("-" if one.size is None else text for text in (f"{one.used} of {one.size}", str(one.evicted))),
        )
    return table


_VERDICTS = ("accepted", "forged", "stale", "moved", "set")


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


def _pool(pool: PoolView, there: NodeSnapshot | None) -> Table:
    waiting = pool.queue.waiting + sum(server.queue.waiting for server in pool.servers)
    queued = f", {waiting} waiting" if waiting else ""
    title = f"\nPool {escape(pool.name)} ({pool.policy}, {pool.up} of {len(pool.servers)} UP{queued})"
    at_peer = _health_there(pool.name, there)
    peer = () if there is None else (f"at {there.node}",)
    columns = ("for", "open", "connections", "requests", "5xx", "why")
    table = _table(title, "server", "address", "weight", "health", *peer, *columns)
    for one in pool.servers:
        counts = one.counts
        table.add_row(
            escape(one.name),
            escape(_address(one)) + (" backup" if one.backup else ""),
            str(one.weight) if one.throttle_percent == 100 else f"{one.weight} of {one.full_weight}",
            _health(one),
            *(() if there is None else (at_peer.get(one.name, "-"),)),
            "-" if one.since_s is None else span(one.since_s),
            *(str(n) for n in (counts.open, counts.connections, counts.requests, counts.status_5xx)),
            escape(one.reason),
        )
    return table


def _health(server: ServerView) -> str:
    health = f"[green]{server.health}[/]" if server.up else f"[bold red]{server.health}[/]"
    if server.health == "MAINT (resolution)":
        health = f"[bold yellow]{server.health}[/]"
    if server.admin != "ready":
        health = f"[bold yellow]{server.admin.upper()}[/] {'' if server.admin == 'maint' else health}".rstrip()
    return health


def _health_there(pool: str, there: NodeSnapshot | None) -> Mapping[str, str]:
    pools = () if there is None else there.pools
    return {server.name: _health(server) for one in pools if one.name == pool for server in one.servers}


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
