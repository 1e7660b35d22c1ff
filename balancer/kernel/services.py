"""What the kernel is to serve: frontends of the kernel plane, each family by itself, and who is chosen. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from balancer.config import BalancerConfig, Frontend, Pool
from balancer.config_limits import ClientLimits
from balancer.fieldtypes import Endpoint
from balancer.kernel.buckets import SIZE, choices
from balancer.standing import Standing

Standings = Mapping[tuple[str, str], Standing]
"""By pool and server; whoever is not there is UP and READY."""
Protocol = Literal["tcp", "udp"]


class Count(NamedTuple):
    """Of a named counter of nft."""

    packets: int
    bytes: int


class Lane(NamedTuple):
    """Where frames for a VIP arrive, for direct server return. MAC addresses are written as nft does."""

    device: str
    own_mac: str
    reached_by: tuple[str, ...]
    """Under which a frame is for this machine: one that a switch floods is not ours to send on."""
    own: tuple[str, ...] = ()
    """This machine's addresses there, without VIPs: where checks at a VIP come from; none: there are no such checks."""


class Station(NamedTuple):
    """What direct server return knows of the LAN."""

    lanes: Mapping[str, Lane] = {}
    """By VIP."""
    macs: Mapping[str, str] = {}
    """Of servers, by IP address."""

    def without_own(self) -> "Station":
        """Where no checks are made at VIPs."""
        return self._replace(lanes={vip: lane._replace(own=()) for vip, lane in self.lanes.items()})


NOWHERE = Station()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One frontend, one family of addresses, with NAT one range of ports or all single ones. `name` is for nft:
    letters, digits and `_`, like no other's."""

    name: str
    shared: str
    """As `name`, of the frontend and family: what a client may have is counted over all ranges of ports."""
    frontend: str
    pool: str
    protocol: Protocol
    listen: tuple[Endpoint, ...]
    servers: Mapping[str, Endpoint]
    """Behind a range of ports each has a range of as many."""
    policy: str
    limits: ClientLimits
    choice: tuple[str, ...]
    """For each place of the table a server; empty: there is none to be had."""
    cut: frozenset[str] = frozenset()
    """Servers whose flows are ended, both ends told."""
    lane: Lane | None = None
    """None: NAT, else direct server return."""
    macs: Mapping[str, str] = field(default_factory=dict)
    """Of servers, for direct server return."""
    syn_proxy: bool = False

    @property
    def is_ipv6(self) -> bool:
        return self.listen[0].is_ipv6

    @property
    def is_range(self) -> bool:
        """With NAT: a packet to some port of the range goes to the port at the same place in the server's."""
        return self.lane is None and self.listen[0].ports > 1

    def counter_of(self, server: str) -> str:
        """How the names of this server's counters begin."""
        return f"{self.name}_{list(self.servers).index(server)}_{clean(server)}"


def services(
    config: BalancerConfig,
    standings: Standings,
    size: int = SIZE,
    *,
    station: Station = NOWHERE,
    cut_off: bool = False,
) -> tuple[Service, ...]:
    """All of them, in the order of the file; those of direct server return where the LAN of their VIP is known.

    `cut_off`: this machine may be, so that its checks say nothing. Nobody's flows are ended then, and where no server
    is UP all are taken for UP: whom a client reaches in that moment is better tried than refused.
    """
    frontends = [(name, one) for name, one in config.frontends.items() if one.plane == "kernel"]
    return tuple(
        service
        for number, (name, frontend) in enumerate(frontends)
        for service in _of_frontend(config, number, name, frontend, standings, size, station, cut_off)
    )


def _of_frontend(
    config: BalancerConfig,
    number: int,
    name: str,
    frontend: Frontend,
    standings: Standings,
    size: int,
    station: Station,
    cut_off: bool,
) -> Iterator[Service]:
    assert frontend.pool is not None
    assert frontend.mode != "http"
    pool = config.pools[frontend.pool]
    for is_ipv6 in (False, True):
        listen = tuple(one for one in frontend.listen if one.is_ipv6 == is_ipv6)
        lane, is_direct = station.lanes.get(listen[0].host) if listen else None, frontend.forward == "dsr"
        if not listen or (is_direct and lane is None):
            continue
        servers = {one: server.address for one, server in pool.servers.items() if server.address.is_ipv6 == is_ipv6}
        known = {server: standings.get((frontend.pool, server), Standing()) for server in servers}
        if cut_off and not any(one.up for one in known.values()):
            known = {server: replace(one, up=True) for server, one in known.items()}
        macs = {server: station.macs[end.host] for server, end in servers.items() if end.host in station.macs}
        shared = f"f{number}_{clean(name)}_{6 if is_ipv6 else 4}"
        if is_direct:  # who does not answer where it is cannot be sent anything
            known = {server: one if server in macs else replace(one, up=False) for server, one in known.items()}
        whole = Service(
            name=shared,
            shared=shared,
            frontend=name,
            pool=frontend.pool,
            protocol=frontend.mode,
            listen=listen,
            servers=servers,
            policy=pool.policy,
            limits=frontend.limits,
            choice=_choice(pool, known, size),
            cut=frozenset() if is_direct or cut_off else _cut(pool, known),
            lane=lane if is_direct else None,
            macs=macs if is_direct else {},
            syn_proxy=frontend.syn_proxy,
        )
        if is_direct:
            yield whole
        else:
            yield from _by_range(whole)


def _by_range(whole: Service) -> Iterator[Service]:
    """Single ports lead to the servers' one port, and each range of ports to a range of its own."""
    ranges: dict[tuple[int, int], list[Endpoint]] = {}
    for one in whole.listen:
        ranges.setdefault((one.port, one.ports) if one.ports > 1 else (0, 1), []).append(one)
    for (port, ports), listen in ranges.items():
        servers = {name: replace(end, ports=ports) for name, end in whole.servers.items()}
        name = f"{whole.name}_{port}" if port else whole.name
        yield replace(whole, name=name, listen=tuple(listen), servers=servers)


def _choice(pool: Pool, known: Mapping[str, Standing], size: int) -> tuple[str, ...]:
    """Backups stand in while no other server is usable."""
    for backup in (False, True):
        weights = dict(_weights(pool, known, backup=backup))
        usable = [name for name in weights if known[name].in_service and _weight(pool, name, known[name])]
        if usable and backup and not pool.use_all_backups:
            usable = usable[:1]
        if usable:
            return choices(weights, usable, size, in_turn=pool.policy == "round_robin")
    return ()


def _weights(pool: Pool, known: Mapping[str, Standing], *, backup: bool) -> Iterator[tuple[str, float]]:
    """A server of no weight keeps its places in the table, for the day on which it gets some."""
    for name, standing in known.items():
        if pool.servers[name].backup == backup:
            yield name, float(_weight(pool, name, standing) or pool.servers[name].weight or 1)


def _weight(pool: Pool, name: str, standing: Standing) -> int:
    return pool.servers[name].weight if standing.weight is None else standing.weight


def _cut(pool: Pool, known: Mapping[str, Standing]) -> frozenset[str]:
    return frozenset(server for server, standing in known.items() if _is_cut(pool, standing))


def _is_cut(pool: Pool, standing: Standing) -> bool:
    """Who is DOWN answers nobody: its clients are better told. MAINT cuts where the file says so."""
    return not standing.up or (standing.admin == "maint" and pool.on_down == "close")


def clean(name: str) -> str:
    """A name as nft takes it."""
    return re.sub(r"[^A-Za-z0-9]", "_", name)


def newly_cut(
    before: Iterable[Service], after: Iterable[Service], *, came: Collection[str] = ()
) -> list[tuple[Service, Endpoint]]:
    """The servers whose flows are to be ended now. `came`: the frontends that have come to this node."""
    known = {service.name: service.cut for service in before if service.frontend not in came}
    return [
        (service, service.servers[server])
        for service in after
        for server in sorted(service.cut - known.get(service.name, frozenset()))
    ]
