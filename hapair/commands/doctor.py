"""`hapair doctor`"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import trio

from balancer.kernel import nft
from hapair import doctor
from hapair.commands.options import FAILED, config_option, load_or_end, node_option, runtime_option, view_or_end
from hapair.config import NodeConfig
from hapair.kernel.sysctls import Sysctls, wanted


@click.command("doctor")
@config_option
@node_option
@runtime_option
@click.option("--server", is_flag=True, help="Print what is to be typed on each server of forward: dsr.")
def command(path: Path, node: str | None, runtime_dir: Path, server: bool) -> None:
    """Look for what is in the way of the kernel plane on this machine; exit status 1 where something is."""
    config = view_or_end(load_or_end(path), node)
    if server:
        for line in doctor.server_needs(config.balancer.frontends):
            click.echo(line)
        return
    findings = list(_findings(config, runtime_dir))
    for finding in findings:
        click.echo(f"{'ok  ' if finding.well else 'MEND'} {finding.words}")
    if not findings:
        click.echo("no frontend is of plane: kernel: there is nothing to look for")
    if not doctor.is_well(findings):
        raise SystemExit(FAILED)


def _findings(config: NodeConfig, runtime_dir: Path) -> Iterator[doctor.Finding]:
    nat = [one for one in config.balancer.frontends.values() if one.plane == "kernel" and one.forward != "dsr"]
    endpoints = [endpoint for one in nat for endpoint in one.listen]
    if not any(one.plane == "kernel" for one in config.balancer.frontends.values()):
        return
    needed = wanted(ipv4=any(not one.is_ipv6 for one in endpoints), ipv6=any(one.is_ipv6 for one in endpoints))
    sysctls = Sysctls(Path(os.environ.get("STATE_DIRECTORY", runtime_dir)))
    yield from doctor.settings(needed, {name: sysctls.read(name) for name in needed})
    yield from doctor.changed(sysctls.remembered())
    printed = trio.run(nft.chains)
    if printed is None:
        yield doctor.Finding(False, f"nft does not tell of its chains: {nft.NO_NFT}, or this is not root")
    elif nat:
        yield from doctor.forward_chains(json.loads(printed))
