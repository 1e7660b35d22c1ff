"""`hapair doctor`"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import trio

from balancer.kernel import nft
from hapair import doctor
from hapair.commands.options import FAILED, config_option, load_or_end, node_option, runtime_option, view_or_end
from hapair.config import NodeConfig
from hapair.config.types import HapairFile
from hapair.kernel.own_servers import own_servers
from hapair.kernel.server_side import ServerSide
from hapair.kernel.sysctls import Sysctls, liberal, wanted


@click.command("doctor")
@config_option
@node_option
@runtime_option
@click.option("--server", is_flag=True, help="Print what is to be typed on each server of forward: dsr.")
@click.option("--apply", "apply_it", is_flag=True, help="With --server, on a server: do it, and remember what was.")
@click.option("--undo", is_flag=True, help="With --server, on a server: take back what --apply changed.")
def command(path: Path, node: str | None, runtime_dir: Path, server: bool, apply_it: bool, undo: bool) -> None:
    """Look for what is in the way of the kernel plane on this machine; exit status 1 where something is."""
    if (apply_it or undo) and (not server or (apply_it and undo)):
        raise click.UsageError("--apply or --undo is for servers: write hapair doctor --server --apply")
    if server:
        _server(load_or_end(path).file, runtime_dir, apply_it=apply_it, undo=undo)
        return
    config = view_or_end(load_or_end(path), node)
    findings = list(_findings(config, runtime_dir))
    _show(findings)
    if not findings:
        click.echo("no frontend is of plane: kernel: there is nothing to look for")
    if not doctor.is_well(findings):
        raise SystemExit(FAILED)


def _show(findings: Iterable[doctor.Finding]) -> None:
    for finding in findings:
        click.echo(f"{'ok  ' if finding.well else 'MEND'} {finding.words}")


def _server(file: HapairFile, runtime_dir: Path, *, apply_it: bool, undo: bool) -> None:
    """A server is no node of the file, so that nothing here may depend on which one this machine is."""
    needs, this = doctor.server_needs(file.frontends), ServerSide(runtime_dir)
    if undo:
        for line in this.undo() or ["nothing was changed by hapair on this machine"]:
            click.echo(line)
    elif not apply_it:
        for line in needs.lines():
            click.echo(line)
    elif (reason := doctor.not_a_server(file.pair.nodes, this.addresses())) is not None:
        click.echo(reason, err=True)
        raise SystemExit(FAILED)
    else:
        obstacles = this.apply(needs)
        for obstacle in obstacles:
            click.echo(obstacle, err=True)
        findings = this.look(needs)
        _show(findings)
        if obstacles or not doctor.is_well(findings):
            raise SystemExit(FAILED)


def _findings(config: NodeConfig, runtime_dir: Path) -> Iterator[doctor.Finding]:
    nat = [one for one in config.balancer.frontends.values() if one.plane == "kernel" and one.forward != "dsr"]
    endpoints = [endpoint for one in nat for endpoint in one.listen]
    if not any(one.plane == "kernel" for one in config.balancer.frontends.values()):
        return
    syn_proxy = any(one.syn_proxy for one in nat)
    needed = wanted(
        ipv4=any(not one.is_ipv6 for one in endpoints),
        ipv6=any(one.is_ipv6 for one in endpoints),
        syn_proxy=syn_proxy,
    )
    if nat:
        needed |= liberal(syn_proxy=syn_proxy)
    sysctls = Sysctls(Path(os.environ.get("STATE_DIRECTORY", runtime_dir)))
    yield from doctor.settings(needed, {name: sysctls.read(name) for name in needed})
    yield from doctor.changed(sysctls.remembered())
    for words in own_servers(config.balancer.frontends, config.balancer.pools):
        yield doctor.Finding(False, words)
    if syn_proxy and not trio.run(nft.knows_synproxy):
        yield doctor.Finding(False, doctor.NO_SYN_PROXY)
    printed = trio.run(nft.ruleset)
    if printed is None:
        yield doctor.Finding(False, f"nft does not tell of its rules: {nft.NO_NFT}, or this is not root")
    elif nat:
        yield from doctor.firewalls(printed, doctor.kernel_flows(config.balancer.frontends, config.balancer.pools))
