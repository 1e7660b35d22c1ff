"""What the kernel plane needs of a machine, and what is in its way: findings, in words. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from balancer.config import Frontend, Pool
from balancer.fieldtypes import Endpoint
from hapair.firewalls import Flow, advice, obstacles, tables_in

NO_SYN_PROXY = "syn_proxy: this kernel has no synproxy for nftables (Linux 5.4 with nft_synproxy), or this is not root"


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


def kernel_flows(frontends: Mapping[str, Frontend], pools: Mapping[str, Pool]) -> list[Flow]:
    """What is forwarded by NAT, once its server is chosen."""
    nat = [one for one in frontends.values() if one.plane == "kernel" and one.forward != "dsr"]
    found = (
        Flow("udp" if one.mode == "udp" else "tcp", server.address.host, server.address.port)
        for one in nat
        for server in pools[str(one.pool)].servers.values()
    )
    return list(dict.fromkeys(found))


def firewalls(listed: str, flows: Collection[Flow]) -> Iterator[Finding]:
    """From what `nft -t list ruleset` prints: chains of others that drop what is forwarded, each with what to type."""
    for one in obstacles(tables_in(listed), flows):
        first, more = one.flows[0], len(one.flows) - 1
        whose = f"{one.table.owner}'s chain" if one.table.owner else "the chain"
        what = f"{first.protocol} to {Endpoint(first.host, first.port)}" + (f" and {more} more" if more else "")
        unless = f", unless this rule accepts it: {one.fate.perhaps}" if one.fate.perhaps else ""
        yield Finding(
            False,
            f"{whose} {one.table.family} {one.table.name} {one.chain} drops what is forwarded by plane: kernel, {what} "
            f"({one.fate.by}{unless}); type {' && '.join(advice(one))}",
        )


@dataclass(frozen=True, slots=True)
class ServerNeeds:
    """What each server of direct server return must have."""

    vips: tuple[str, ...] = ()

    @property
    def settings(self) -> Mapping[str, str]:
        """Below /proc/sys: no answer to who asks for a VIP by ARP, and no question in its name. IPv6 needs none, for
        nobody is told of an address that is not the interface's own."""
        return _ARP if any(":" not in vip for vip in self.vips) else {}

    def missing_settings(self, read: Callable[[str], str | None]) -> dict[str, str]:
        """Those that are not as they must be."""
        return {name: value for name, value in self.settings.items() if not _does(name, read(name))}

    def missing_addresses(self, there: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """With the words for ip(8) that add each. `there`: interface by address."""
        return {_as_prefix(vip): _adding(vip) for vip in self.vips if vip not in there}

    def lines(self) -> Iterator[str]:
        """What is to be typed, in this order: else the LAN would hear of the VIP."""
        if self.settings:
            yield "sysctl -w " + " ".join(f"{_dotted(name)}={value}" for name, value in self.settings.items())
        yield from (f"ip {' '.join(_adding(vip))}" for vip in self.vips)


_ARP = {"net/ipv4/conf/all/arp_ignore": "1", "net/ipv4/conf/all/arp_announce": "2"}
_STRICTER = {"net/ipv4/conf/all/arp_ignore": "2"}


def _does(name: str, value: str | None) -> bool:
    return value is not None and value in (_ARP[name], _STRICTER.get(name))


def _dotted(name: str) -> str:
    return name.replace("/", ".")


def _as_prefix(vip: str) -> str:
    return f"{vip}/{128 if ':' in vip else 32}"


def _adding(vip: str) -> tuple[str, ...]:
    return ("address", "add", _as_prefix(vip), "dev", "lo", *(["nodad"] if ":" in vip else []))


def server_needs(frontends: Mapping[str, Frontend]) -> ServerNeeds:
    """Of the frontends of `forward: dsr`."""
    direct = (one for one in frontends.values() if one.forward == "dsr")
    return ServerNeeds(tuple(dict.fromkeys(endpoint.host for one in direct for endpoint in one.listen)))


def server_findings(
    needs: ServerNeeds,
    addresses: Mapping[str, str],
    settings: Mapping[str, str | None],
    added: Collection[str],
    remembered: Mapping[str, str],
) -> Iterator[Finding]:
    """Of a server: interface by address, settings as they are; what of it `--apply` has added and changed."""
    for name, value in needs.settings.items():
        well = _does(name, settings[name])
        is_now = f"{_dotted(name)} is {settings[name] or 'not there'}"
        yield Finding(well, is_now if well else f"{is_now} and must be {value}: sysctl -w {_dotted(name)}={value}")
    for vip in needs.vips:
        device = addresses.get(vip)
        if device == "lo":
            yield Finding(True, f"{vip} is on lo" + (", added by hapair" if _as_prefix(vip) in added else ""))
        elif device is None:
            yield Finding(False, f"{vip} must be on lo: ip {' '.join(_adding(vip))}")
        else:
            yield Finding(False, f"{vip} is on {device}, where the LAN sees it, and must be on lo alone")
    yield from changed(remembered)


def not_a_server(nodes: Mapping[str, str], addresses: Mapping[str, str]) -> str | None:
    """Why this machine is none. `nodes`: their addresses by name."""
    for name, address in nodes.items():
        if address in addresses:
            return f"this machine has {address}, so it is {name} of the pair and no server: nothing was changed"
    return None


def is_well(findings: Iterable[Finding]) -> bool:
    """Nothing is to be done."""
    return all(finding.well for finding in findings)
