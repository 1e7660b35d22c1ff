"""HAProxy's commands for frontends and connections: stopped, limited, seen, ended."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from balancer.clients import Session
from balancer.config import Frontend
from balancer.evidence import Evidence
from hapair.admin.haproxy_cli import Command, Refused
from hapair.admin.haproxy_errors import ErrorCommands
from hapair.node_traffic import NotPossible
from hapair.snapshot import NodeSnapshot

log = logging.getLogger(__name__)

MOST_CONNECTIONS: Final = 1_000_000
_ID: Final = re.compile(r"(?:0x)?[0-9a-fA-F]{1,16}")


class Traffic(Protocol):
    """hapair.node_traffic.NodeTraffic."""

    def frontends(self) -> Mapping[str, Frontend]: ...

    def is_disabled(self, frontend: str) -> bool: ...

    async def disable(self, frontend: str) -> None: ...

    async def enable(self, frontend: str) -> None: ...

    async def limit(self, frontend: str, max_connections: int) -> None: ...

    async def sessions(self) -> list[Session]: ...

    async def end_session(self, session: int) -> int: ...

    async def end_sessions(self, pool: str, server: str) -> int: ...

    async def errors(self) -> tuple[int, list[Evidence]]: ...


class TrafficCommands:
    """Of one node."""

    def __init__(self, traffic: Traffic, look: Callable[[], NodeSnapshot]) -> None:
        self._traffic = traffic
        self._look = look

    def commands(self) -> tuple[Command, ...]:
        """For HaproxyCli."""
        return (
            Command(("disable", "frontend"), "disable frontend <frontend>", "stop to take connections", self._disable),
            Command(("enable", "frontend"), "enable frontend <frontend>", "take connections again", self._enable),
            Command(
                ("set", "maxconn", "frontend"),
                "set maxconn frontend <frontend> <n>",
                "change how many connections it may have",
                self._set_maxconn,
            ),
            Command(("show", "sess"), "show sess [<id>]", "list connections, or one", self._show_sess),
            Command(
                ("shutdown", "sessions", "server"),
                "shutdown sessions server <bk>/<srv>",
                "end connections that speak with a server",
                self._shutdown_sessions,
            ),
            Command(("shutdown", "session"), "shutdown session <id>", "end a connection", self._shutdown_session),
            *ErrorCommands(self._traffic, self._look).commands(),
        )

    def _named(self, words: Sequence[str], place: int) -> str:
        if len(words) <= place:
            raise Refused("A frontend name is expected.")
        if words[place] not in self._traffic.frontends():
            raise Refused("No such frontend.")
        return words[place]

    async def _disable(self, words: Sequence[str]) -> str:
        name = self._named(words, 2)
        if self._traffic.is_disabled(name):
            raise Refused("All sockets are already disabled.")
        return await self._done(self._traffic.disable, name)

    async def _enable(self, words: Sequence[str]) -> str:
        name = self._named(words, 2)
        if not self._traffic.is_disabled(name):
            raise Refused("All sockets are already enabled.")
        return await self._done(self._traffic.enable, name)

    async def _done(self, action: Callable[[str], object], name: str) -> str:
        try:
            await action(name)  # type: ignore[misc]
        except NotPossible as why:
            raise Refused(str(why)) from why
        log.info("runtime socket", extra={"action": action.__name__, "frontend": name})
        return ""

    async def _set_maxconn(self, words: Sequence[str]) -> str:
        name = self._named(words, 3)
        if len(words) < 5:
            raise Refused("Integer value expected.")
        match = re.fullmatch(r"[0-9]{1,9}", words[4])
        if match is None or not 1 <= int(words[4]) <= MOST_CONNECTIONS:
            raise Refused("Value out of range.")
        await self._traffic.limit(name, int(words[4]))
        log.info("runtime socket", extra={"max_connections": words[4], "frontend": name})
        return ""

    async def _show_sess(self, words: Sequence[str]) -> str:
        sessions = await self._traffic.sessions()
        if len(words) > 2 and words[2] != "all":
            wanted = _number(words[2])
            sessions = [one for one in sessions if one.id == wanted]
            if not sessions:
                raise Refused("Session not found.")
        return "".join(_line(one) for one in sessions)

    async def _shutdown_session(self, words: Sequence[str]) -> str:
        if len(words) < 3:
            raise Refused("Session pointer expected (use 'show sess').")
        number = _number(words[2])
        if number is None or not await self._traffic.end_session(number):
            raise Refused("No such session (use 'show sess').")
        log.info("runtime socket", extra={"action": "shutdown session", "session": words[2]})
        return ""

    async def _shutdown_sessions(self, words: Sequence[str]) -> str:
        pool_name, slash, server = (words[3] if len(words) > 3 else "").partition("/")
        if not slash or not server:
            raise Refused("Require 'backend/server'.")
        pool = next((one for one in self._look().pools if one.name == pool_name), None)
        if pool is None:
            raise Refused("No such backend.")
        if server not in {one.name for one in pool.servers}:
            raise Refused("No such server.")
        ended = await self._traffic.end_sessions(pool_name, server)
        log.info("runtime socket", extra={"action": "shutdown sessions", "server": words[3], "ended": ended})
        return ""


def _number(text: str) -> int | None:
    return int(text.removeprefix("0x"), 16) if _ID.fullmatch(text) else None


def _line(one: Session) -> str:
    """As `show sess` has it, up to what is HAProxy's own inside."""
    proto = "unix_stream" if not one.client or one.client.startswith("/") else "tcpv6" if ":" in one.client else "tcpv4"
    source = f"{one.client}:{one.port}" if proto != "unix_stream" else "unix:1"
    pool, server = one.pool or "<NONE>", one.server or "<none>"
    return (
        f"0x{one.id:x}: proto={proto} src={source} fe={one.frontend} be={pool} srv={server} "
        f"ts=00 epoch=0 age={_span(int(one.age_s))} calls=1 rate=0 cpu=0 lat=0\n"
    )


def _span(seconds: int) -> str:
    """`5s`, `1m5s`, `2h1m`, `3d2h`: the two greatest units, as HAProxy has it."""
    for unit, size, below, part in (("d", 86_400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size}{unit}{rest}{below}" if rest else f"{seconds // size}{unit}"
    return f"{seconds}s"
