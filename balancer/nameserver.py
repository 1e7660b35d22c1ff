"""Asks nameservers, with dnspython: addresses with their TTL, and SRV records. The one place that imports it."""

import ipaddress
from typing import Any

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from balancer.fieldtypes import Endpoint
from balancer.resolution import Answer, Failure, Question, Service, places_of, versions
from balancer.standing import Place

_TYPES = {4: "A", 6: "AAAA"}


async def ask(question: Question) -> Answer | Failure:
    """One question, whatever it takes to answer it. Raises nothing that a nameserver could cause."""
    try:
        asker = _Asker(question)
        return await (asker.addresses() if question.name.port else asker.services())
    except dns.resolver.NXDOMAIN:
        return Failure(f"NXDOMAIN: nobody knows {question.name.host}")
    except dns.resolver.NoAnswer:
        return Failure(f"no address: {question.name.host} has no record of what was asked")
    except dns.resolver.LifetimeTimeout:
        return Failure(f"timeout: no answer for {question.name.host} within {question.resolve.timeout_s:g}s")
    except dns.resolver.NoNameservers:
        return Failure(f"resolver: no nameserver answers for {question.name.host} (SERVFAIL or REFUSED)")
    except (dns.exception.DNSException, OSError) as error:
        return Failure(f"resolver: {error} ({question.name.host})")


class _Asker:
    """One question and the least TTL of what it took to answer it."""

    def __init__(self, question: Question) -> None:
        own = question.resolve.nameservers
        self._name = question.name
        self._resolve = question.resolve
        self._ttl_s: float | None = None
        self._resolver = dns.asyncresolver.Resolver(configure=not own)
        if own:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(one.host, one.port) for one in own]
            share_s = question.resolve.timeout_s / len(own)
            self._resolver.timeout = min(2.0, share_s)  # the next one shall have its turn
        self._backend = dns.asyncbackend.get_backend("trio")

    async def addresses(self) -> Answer:
        """Of a host."""
        hosts = await self._hosts(self._name.host)
        return Answer(tuple(Place(Endpoint(host, self._name.port)) for host in hosts), self._ttl_s)

    async def services(self) -> Answer | Failure:
        """Of a service: the addresses of all targets that have any."""
        records = await self._records(self._name.host, "SRV")
        services, failed = [], ""
        for record in sorted(records):
            target = record.target.to_text(omit_final_dot=True)
            try:
                hosts = () if target in ("", ".", "@") else await self._hosts(target)
            except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
                hosts, failed = (), f"no address: {target}, of {self._name.host}, has none"
            services.append(Service(record.priority, record.weight, record.port, hosts))
        places = places_of([service for service in services if service.port])
        if not places:
            return Failure(failed or f"no address: {self._name.host} says that there is no such service")
        return Answer(places, self._ttl_s)

    async def _hosts(self, name: str) -> tuple[str, ...]:
        last: dns.resolver.NoAnswer | None = None
        for group in versions(self._resolve.family):
            found: list[str] = []
            for version in group:
                try:
                    records = await self._records(name, _TYPES[version])
                    found += [_host(record.address) for record in records]
                except dns.resolver.NoAnswer as none:
                    last = none
            if found:
                return tuple(sorted(found))  # as they come they are in a new order each time
        assert last is not None
        raise last

    async def _records(self, name: str, kind: str) -> list[Any]:
        answer = await self._resolver.resolve(
            name, kind, backend=self._backend, lifetime=self._resolve.timeout_s, search=not self._resolve.nameservers
        )
        assert answer.rrset is not None
        ttl_s = float(answer.rrset.ttl)
        self._ttl_s = ttl_s if self._ttl_s is None else min(ttl_s, self._ttl_s)
        return list(answer)


def _host(address: str) -> str:
    """In its family's canonical form."""
    return str(ipaddress.ip_address(address))
