"""What the kernel plane needs of a machine, and what is in its way: findings, in words. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from balancer.config import Frontend


@dataclass(frozen=True, slots=True)
class Finding:
    """`well`: nothing is to be done."""

    well: bool
    words: str


def settings(wanted: Mapping[str, str], found: Mapping[str, str | None]) -> Iterator[Finding]:
    """Settings below /proc/sys, by name: what they must be and what they are."""
    for name, value in wanted.items():
        dotted = name.replace("/", ".")
        if found[name] == value:
            yield Finding(True, f"{dotted} is {value}")
        else:
            is_now = found[name] or "not there"
            yield Finding(False, f"{dotted} is {is_now} and must be {value}: sysctl -w {dotted}={value}")


def changed(remembered: Mapping[str, str]) -> Iterator[Finding]:
    """Settings that hapair has changed, and what they were before."""
    for name, before in remembered.items():
        yield Finding(
            True, f"{name.replace('/', '.')} was {before or 'not set'} before hapair changed it, and will be again"
        )


def forward_chains(listed: Mapping[str, Any]) -> Iterator[Finding]:
    """From what `nft -j list chains` prints: chains of others that drop what is forwarded."""
    for one in listed.get("nftables", ()):
        chain = one.get("chain", {})
        if chain.get("hook") == "forward" and chain.get("policy") == "drop":
            where = f"{chain['family']} {chain['table']} {chain['name']}"
            yield Finding(
                False,
                f"the chain {where} drops what is forwarded and no rule of it accepts, flows of plane: kernel too; let "
                f"it accept them, for example: nft insert rule {where} ct status dnat accept",
            )


def server_needs(frontends: Mapping[str, Frontend]) -> Iterator[str]:
    """What is to be typed on each server of direct server return."""
    direct = [one for one in frontends.values() if one.forward == "dsr"]
    hosts = list(dict.fromkeys(endpoint.host for one in direct for endpoint in one.listen))
    if any(":" not in host for host in hosts):
        yield "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2"
    for host in hosts:
        yield f"ip address add {host}/{128 if ':' in host else 32} dev lo"


def is_well(findings: Iterable[Finding]) -> bool:
    """Nothing is to be done."""
    return all(finding.well for finding in findings)
