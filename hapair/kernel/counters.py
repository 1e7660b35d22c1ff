"""Counters of nft to the counters of the status, which are those of the proxy plane. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from balancer.counts import Counts, added
from balancer.kernel.services import Count, Service

ZERO = Count(0, 0)
NONE = Counts(*[0] * 16)


def of_server(services: Iterable[Service], pool: str, server: str, counters: Mapping[str, Count]) -> Counts:
    """Over all kernel-plane frontends of a pool."""
    found = NONE
    for service in services:
        if service.pool == pool and server in service.servers:
            found = added(found, _counts(service, server, counters))
    return found


def of_frontend(services: Iterable[Service], frontend: str, counters: Mapping[str, Count]) -> Counts:
    """Over all its servers."""
    found = NONE
    for service in services:
        if service.frontend == frontend:
            for server in service.servers:
                found = added(found, _counts(service, server, counters))
    return found


def refused(services: Iterable[Service], frontend: str, counters: Mapping[str, Count]) -> int:
    """New flows that its limits kept out."""
    names = {f"{service.shared}_refused" for service in services if service.frontend == frontend}
    return sum(counters.get(name, ZERO).packets for name in names)


def _counts(service: Service, server: str, counters: Mapping[str, Count]) -> Counts:
    new, there, back = (counters.get(f"{service.counter_of(server)}_{what}", ZERO) for what in ("new", "in", "out"))
    found = replace(NONE, connections=new.packets, bytes_in=there.bytes, bytes_out=back.bytes)
    if service.protocol == "udp":
        return replace(found, datagrams_in=there.packets, datagrams_out=back.packets)
    return found
