"""Connections of clients, for whoever wants to see or end them: which are open, since when, with what server.

Nothing is written down for this while traffic flows: with whom a connection speaks is read, when somebody asks, from
the suspended coroutine that serves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, Protocol, runtime_checkable

from balancer.acceptor import Acceptor, Connection
from balancer.clients import Session
from balancer.networks import canonical
from balancer.service import PoolService
from balancer.slots import Counters
from balancer.task import Task
from balancer.upstream import Upstream

_WORKER_BITS: Final = 48
"""Above those of an address in memory."""


@runtime_checkable
class Multiplexed(Protocol):
    """A connection whose streams are served by tasks of their own (balancer.relay.http2)."""

    @property
    def stream_tasks(self) -> Iterable[Task[Any]]:
        """Those that are open."""


def sessions(acceptors: Iterable[Acceptor], worker: int, limit: int) -> list[Session]:
    """At most so many of what is open in this worker."""
    return list(islice((one for acceptor in acceptors for one in _sessions_of(acceptor, worker)), limit))


def _id_of(connection: Connection, worker: int) -> int:
    return worker << _WORKER_BITS | id(connection)


def _sessions_of(acceptor: Acceptor, worker: int) -> Iterator[Session]:
    now = acceptor.service.reactor.now
    for connection in tuple(acceptor.connections):
        address, port = connection.stream.peername[:2] if connection.stream.peername else ("", 0)
        spoken_with = [found for _, found in _conversations(connection)]
        for pool, server in spoken_with or [("", "")]:
            yield Session(
                id=_id_of(connection, worker),
                frontend=acceptor.service.name,
                client=canonical(address) if address else "",
                port=int(port or 0),
                age_s=now - connection.opened_at,
                pool=pool,
                server=server,
            )


def end_session(acceptors: Iterable[Acceptor], worker: int, wanted: int) -> int:
    """Reset this connection; how many there were."""
    found = [one for acceptor in acceptors for one in acceptor.connections if _id_of(one, worker) == wanted]
    for connection in found:
        _end(connection)
    return len(found)


def end_sessions(acceptors: Iterable[Acceptor], pool: str, server: str) -> int:
    """Reset all that speak with this server just now; how many there were."""
    found = [
        task
        for acceptor in acceptors
        for connection in acceptor.connections
        for task, spoken_with in _conversations(connection)
        if spoken_with == (pool, server)
    ]
    for task in found:
        _end(task)
    return len(found)


def _end(task: Task[Any]) -> None:
    if isinstance(task, Connection):
        task.stream.abort()
    task.cancel()


def _conversations(task: Task[Any]) -> Iterator[tuple[Task[Any], tuple[str, str]]]:
    """Who speaks with a server, and its pool and name: the task itself, or those of its streams."""
    innermost = None
    for variables in task.suspended():
        if isinstance(several := variables.get("self"), Multiplexed):
            for stream in tuple(several.stream_tasks):
                yield from _conversations(stream)
            return
        innermost = _spoken_with(variables) or innermost
    if innermost is not None:
        yield task, innermost


def _spoken_with(variables: dict[str, Any]) -> tuple[str, str] | None:
    for value in variables.values():
        if isinstance(value, Upstream) and not value.idle and not value.stream.closed:
            return value.pool, value.server
    pool, connected = variables.get("pool"), variables.get("connected")
    if isinstance(pool, PoolService) and isinstance(connected, tuple):
        return _of_counters(pool, connected[1])
    return None


def _of_counters(pool: PoolService | None, counters: Counters) -> tuple[str, str] | None:
    """Whose they are, in the chain of pools that stand in for each other."""
    while pool is not None:
        for server in pool.config.servers:
            if pool.counters(server) is counters:
                return pool.name, server
        pool = pool.fallback
    return None
