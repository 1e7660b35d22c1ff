"""Every check and agent once, and what it saw: `hapair check --probe`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import trio

from balancer.checks.agent import ask
from balancer.checks.agent_words import AgentWords
from balancer.checks.probes import ProbeResult, probe, target_of
from balancer.checks.runner import where_asked, where_checked
from balancer.checks.tls import CheckSecrecy
from balancer.config import Pool, Server
from balancer.config_checks import AgentCheck
from balancer.discovery import resolve_once
from balancer.fieldtypes import Endpoint
from balancer.proxyproto import local
from balancer.standing import Place
from balancer.tls.material import PoolMaterial
from hapair.processes import Programs


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One check or agent, and what it said."""

    pool: str
    server: str
    kind: str
    target: str
    ok: bool | None
    """None: it could not be asked, or says nothing of the server."""
    said: str
    code: str
    duration_ms: float


def probe_all(pools: Mapping[str, Pool], material: Mapping[str, PoolMaterial]) -> list[Seen]:
    """All at the same time; in the order of the file. `material`: what TLS with the servers of a pool needs."""
    return trio.run(_probe_all, pools, material)


async def _probe_all(pools: Mapping[str, Pool], material: Mapping[str, PoolMaterial]) -> list[Seen]:
    seen: dict[tuple[int, int], Seen] = {}
    programs, secrecy = Programs(), CheckSecrecy()
    places = await resolve_once(pools)

    async def look(place: int, pool: str, name: str, server: Server) -> None:
        check = pools[pool].check_of(name)
        found = places.get((pool, name), Place(server.address))
        if isinstance(found, str):
            seen[place, 0] = _of_name(pool, name, server, found)
            return
        if check is not None:
            endpoint = where_checked(server, found.endpoint)
            preamble = b"" if (version := pools[pool].send_proxy) is None else local(version)
            result = await probe(
                *(check, endpoint, preamble),
                run_program=programs.run,
                names=(pool, name),
                secrecy=partial(secrecy.of, pool, pools[pool], name, material.get(pool)),
            )
            seen[place, 0] = _of_check(pool, name, check.kind, target_of(check, endpoint), result)
        agent = pools[pool].agent_of(name)
        if agent is not None:
            seen[place, 1] = await _of_agent(pool, name, agent, server, found.endpoint)

    async with trio.open_nursery() as nursery:
        place = 0
        for pool, config in pools.items():
            for name, server in config.servers.items():
                nursery.start_soon(look, place, pool, name, server)
                place += 1
    return [seen[key] for key in sorted(seen)]


def _of_check(pool: str, server: str, kind: str, target: Endpoint, result: ProbeResult) -> Seen:
    return Seen(
        pool=pool,
        server=server,
        kind=kind,
        target=str(target),
        ok=result.ok,
        said=result.reason,
        code=result.code,
        duration_ms=round(result.duration_s * 1000, 1),
    )


def _of_name(pool: str, server: str, config: Server, trouble: str) -> Seen:
    return Seen(
        pool=pool,
        server=server,
        kind="name",
        target=str(config.address),
        ok=None,
        said=trouble,
        code="",
        duration_ms=0.0,
    )


async def _of_agent(pool: str, name: str, agent: AgentCheck, server: Server, endpoint: Endpoint) -> Seen:
    target = where_asked(server, agent, endpoint)
    began_at = trio.current_time()
    said = await ask(agent, target)
    understood = isinstance(said, AgentWords)
    return Seen(
        pool=pool,
        server=name,
        kind="agent",
        target=str(target),
        ok=said.health != "down" if isinstance(said, AgentWords) else None,
        said=_words(said) if isinstance(said, AgentWords) else said,
        code="L7OK" if understood else "L7RSP",
        duration_ms=round((trio.current_time() - began_at) * 1000, 1),
    )


def _words(said: AgentWords) -> str:
    parts = [said.text, said.admin or "", "" if said.percent is None else f"{said.percent}%"]
    parts.append("" if said.weight is None else f"weight {said.weight}")
    parts.append("" if said.max_connections is None else f"max_connections {said.max_connections}")
    return " ".join(part for part in parts if part)


def as_json(seen: list[Seen]) -> str:
    """For machines."""
    fields = ("pool", "server", "kind", "target", "ok", "said", "code", "duration_ms")
    return json.dumps([{name: getattr(one, name) for name in fields} for one in seen])
