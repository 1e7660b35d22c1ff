"""Which server of a name has which of its addresses, and when to ask again. Pure.

Servers that are known by the same name share its addresses, one each. A server keeps its address for as long as answers
have it; who has none takes the next that is free. An answer that does not come changes nothing while the last good one
may be held.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from balancer.config_discovery import Family, Resolve
from balancer.config_pools import Pool
from balancer.fieldtypes import Endpoint
from balancer.standing import Place

SHORTEST_S = 1.0
"""From an answer to the next question, whatever its TTL; after a failure as well."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a name leads to. `ttl_s` None: nobody said for how long."""

    places: tuple[Place, ...]
    ttl_s: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer; `reason` begins with NXDOMAIN, `no address`, timeout, or what else it was."""

    reason: str


@dataclass(frozen=True, slots=True)
class Question:
    """A name, and how to ask for it. Of port 0: for its SRV records."""

    name: Endpoint
    resolve: Resolve


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is known of one name, and of the servers that have it. `now` is on any one clock, in seconds."""

    question: Question
    servers: tuple[str, ...]
    places: Mapping[str, Place] = field(default_factory=dict)
    """By server; who is not here has none."""
    failed: str = ""
    """What the last answer was, where it was none."""
    lacking: str = ""
    """Why servers are without an address."""
    answered_at: float | None = None
    due_at: float = 0.0
    """When to ask again."""

    def after(self, answer: Answer | Failure, now: float) -> Self:
        """The next one, by an answer that came now."""
        resolve = self.question.resolve
        if isinstance(answer, Answer) and answer.places:
            places = assigned(self.servers, self.places, answer.places)
            pause_s = min(resolve.interval_s, max(SHORTEST_S, answer.ttl_s or 0.0))
            due_at = now + (resolve.interval_s if answer.ttl_s is None else pause_s)
            known = replace(self, places=places, failed="", lacking=_surplus(self, answer.places))
            return replace(known, answered_at=now, due_at=due_at)
        failed = answer.reason if isinstance(answer, Failure) else f"no address: {self.question.name.host} has none"
        due_at = now + min(SHORTEST_S, resolve.interval_s)
        if self.answered_at is not None and now < (held_until := self.answered_at + resolve.hold_s):
            return replace(self, failed=failed, due_at=min(due_at, held_until))
        return replace(self, places={}, failed=failed, lacking=failed, due_at=due_at)

    def told(self) -> Iterator[tuple[str, Place | None, str]]:
        """Of each server: where it is, and what is amiss with that."""
        for server in self.servers:
            place = self.places.get(server)
            yield server, place, self.lacking if place is None else self.failed


def _surplus(known: Resolution, places: Sequence[Place]) -> str:
    addresses = len({place.endpoint for place in places})
    if addresses >= len(known.servers):
        return ""
    many = "1 address" if addresses == 1 else f"{addresses} addresses"
    return f"no address left: {known.question.name.host} has {many} for {len(known.servers)} servers"


def assigned(servers: Sequence[str], before: Mapping[str, Place], places: Iterable[Place]) -> dict[str, Place]:
    """An address for each server, while there are any. Those of the best SRV records first, then by their order."""
    left: dict[Endpoint, Place] = {}
    for place in sorted(places, key=_order):
        left.setdefault(place.endpoint, place)
    kept = {
        server: left.pop(before[server].endpoint)
        for server in servers
        if server in before and before[server].endpoint in left
    }
    free = iter(left.values())
    found = {server: kept.get(server) or next(free, None) for server in servers}
    return {server: place for server, place in found.items() if place is not None}


def _order(place: Place) -> tuple[bool, int, int, int]:
    address = ipaddress.ip_address(place.endpoint.host)
    return place.backup, address.version, int(address), place.endpoint.port


def resolutions(pools: Mapping[str, Pool]) -> list[tuple[str, Resolution]]:
    """The pool and the names of its servers, not yet resolved."""
    found: dict[tuple[str, Endpoint], list[str]] = {}
    for pool, config in pools.items():
        for name, server in config.servers.items():
            if server.address.is_name:
                found.setdefault((pool, server.address), []).append(name)
    return [
        (pool, Resolution(Question(name, pools[pool].resolve), tuple(servers)))
        for (pool, name), servers in found.items()
    ]


def versions(family: Family) -> tuple[tuple[int, ...], ...]:
    """IP versions that are asked for: the first of these groups that has an address is the answer."""
    return {
        "ipv4_first": ((4,), (6,)),
        "ipv6_first": ((6,), (4,)),
        "ipv4": ((4,),),
        "ipv6": ((6,),),
        "both": ((4, 6),),
    }[family]


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record (RFC 2782), with the addresses of its target."""

    priority: int
    weight: int
    port: int
    hosts: tuple[str, ...]


def places_of(services: Sequence[Service]) -> tuple[Place, ...]:
    """Those of the lowest priority number do the work, the others are backups. Weights of 0 to 65535 become 1 to 256.

    A weight of 0 beside others has a very small share; where all are 0, shares are even.
    """
    reached = [service for service in services if service.hosts]
    best = min((service.priority for service in reached), default=0)
    ordered = sorted(reached, key=lambda one: one.priority)
    heaviest = max((service.weight for service in reached), default=0)
    scaled = heaviest > 256 or (heaviest > 0 and any(not service.weight for service in reached))

    def weight(service: Service) -> int:
        if not scaled:
            return service.weight or 1
        return max(1, round(service.weight * 256 / heaviest))

    return tuple(
        Place(Endpoint(host, service.port), weight(service), service.priority != best)
        for service in ordered
        for host in service.hosts
    )
