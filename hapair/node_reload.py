"""Another file for a running node: read, tried, and then carried out. `hapair reload`, SIGHUP, `hapair check --diff`.

Whatever can fail is done before anything is changed: the file, certificates, pages, the secret, sockets that are new,
files of logs, and where it is needed a handover. What comes then cannot fail.
"""

import logging
import os
import time
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import trio

from balancer.listener import ListenFailed
from hapair.certificates.store import Reading
from hapair.certificates.watch import fatal_troubles
from hapair.channel import MAX_FDS
from hapair.config import ConfigError, NodeConfig, UnknownNodeError, load, node_view, read_pages
from hapair.events.event import Happening, Severity
from hapair.logfiles import LogFileError
from hapair.node_sockets import NodeSockets
from hapair.opening import missing_privileges, opening_of
from hapair.reload.plan import Plan, Served, make_plan
from hapair.secret import SecretError

log = logging.getLogger(__name__)

ANSWER_S = 5.0
"""How long workers may take to say that they serve what is new."""
LOOK_EVERY_S = 2.0
"""At the file, where it is to be watched."""
_NAMED = 20


class Refused(Exception):  # noqa: N818 - named for what happened
    """Nothing was changed; the words say why."""


class Reloadable(Protocol):
    """What of a running node is reloaded."""

    def active_routers(self) -> set[str]:
        """Virtual routers that are Active here."""

    def active_frontends(self) -> set[str]:
        """Those whose VIPs are here."""

    def sockets_for(self, config: NodeConfig) -> NodeSockets:
        """Raises ListenFailed, LogFileError."""

    def close_beside(self, sockets: NodeSockets) -> None:
        """Close those that are not in use."""

    def try_certificates(self, config: NodeConfig) -> Reading:
        """What would be served."""

    async def move_away(self, reason: str, *, only: Collection[str] | None = None) -> str | None:
        """Hand over, all or `only` these virtual routers; why that was not possible."""

    def superseded(self, config: NodeConfig) -> list[str]:
        """What people said while the node ran, and would hold no more with this; on a line each."""

    def apply(self, served: Served, plan: Plan, sockets: NodeSockets, reading: Reading) -> None:
        """From now on. Returns at once."""

    async def settled(self, limit_s: float) -> list[str]:
        """Wait until every process has it; what went wrong."""

    def record(self, happening: Happening) -> object:
        """Tell whoever follows events."""


class NodeReload:
    """One node's reloads, one at a time. `run` must run for what is asked for by `ask`."""

    def __init__(self, node: Reloadable, served: Served, *, path: str) -> None:
        self._node = node
        self._served = served
        self._path = path
        self._lock = trio.Lock()
        self._asked: list[str] = []
        self._wake = trio.Event()

    def ask(self, why: str) -> None:
        """Reload soon."""
        self._asked.append(why)
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                reasons, self._asked = list(dict.fromkeys(self._asked)), []
                async for _ in self._reload(", ".join(reasons)):
                    pass  # it is in the log

    async def story(self, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """`{"command": "reload"}`: what happens, line by line; the last one has `ok`, and `changes` as lines.

        With `dry_run` nothing is done, and `path` may name another file.
        """
        if request.get("dry_run"):
            yield self._tell(request.get("path"))
            return
        async for line in self._reload("hapair reload"):
            yield line

    def _tell(self, path: object) -> Mapping[str, Any]:
        """What a reload would do."""
        if path is not None and not (isinstance(path, str) and os.path.isabs(path)):
            return {"ok": False, "words": "path must be a whole path, beginning with /", "changes": []}
        try:
            served, warnings = self._read(self._path if path is None else path)
        except Refused as refused:
            return {"ok": False, "words": str(refused), "changes": []}
        plan = self._plan(served)
        warnings += self._node.superseded(served.config)
        words = plan.words(self._node.active_routers())
        return {"ok": True, "words": words, "changes": plan.lines, "warnings": warnings}

    def _plan(self, served: Served) -> Plan:
        return make_plan(self._served, served, self._node.active_frontends())

    async def _reload(self, why: str) -> AsyncGenerator[Mapping[str, Any], None]:
        async with self._lock:
            began_at = time.monotonic()
            try:
                served, warnings = self._read(self._path)
                plan = self._plan(served)
                for warning in (*warnings, *self._node.superseded(served.config)):
                    yield {"news": f"warning: {warning}"}
                active = self._node.active_routers()
                if plan.refusal is None and (plan.anew or (plan.moving and active)):
                    yield {"news": plan.words(active)}
                notes, troubles = await self._carry_out(served, plan)
            except Refused as refused:
                yield self._refused(why, str(refused))
            else:
                for note in notes:
                    yield {"news": note}
                yield self._done(why, plan, troubles, round(time.monotonic() - began_at, 3))

    def _refused(self, why: str, reason: str) -> Mapping[str, Any]:
        log.error("not reloaded", extra={"why": why, "reason": reason})
        words = f"{self._path} is not taken: nothing is changed"
        self._record(words, reason, well=False)
        return {"ok": False, "words": f"not reloaded, nothing is changed: {reason}", "changes": []}

    def _done(self, why: str, plan: Plan, troubles: list[str], took_s: float) -> Mapping[str, Any]:
        where = [change.where for change in plan.changes] + list(plan.pages)
        number = len(plan.lines)
        words = f"reloaded: {number} change{'s' * (number != 1)}" if number else "reloaded: nothing is different"
        fields = {"why": why, "changes": number, "where": ", ".join(where[:_NAMED]), "took_s": took_s}
        log.info("reloaded", extra=fields)
        for trouble in troubles:
            log.error("reloaded in part", extra={"reason": trouble})
        self._record(words, "; ".join([why, *troubles]), well=not troubles)
        return {"ok": not troubles, "words": "; ".join([words, *troubles]), "changes": plan.lines, "took_s": took_s}

    def _record(self, words: str, reason: str, *, well: bool) -> None:
        node = self._served.config.node
        severity: Severity = "info" if well else "warning"
        self._node.record(
            Happening(kind="reload", subject=node, words=words, reason=reason, severity=severity, logged=True)
        )

    def _read(self, path: str) -> tuple[Served, list[str]]:
        """A file as this node would run it. Raises Refused."""
        try:
            loaded = load(path)
            config = node_view(loaded, self._served.config.node)
            config = replace(config, balancer=replace(config.balancer, files=read_pages(loaded)))
            opening = replace(opening_of(config), record_to=self._served.opening.record_to)
        except (ConfigError, UnknownNodeError, SecretError) as error:
            raise Refused(str(error)) from error
        return Served(file=loaded.file, config=config, opening=opening), list(loaded.warnings)

    async def _carry_out(self, served: Served, plan: Plan) -> tuple[list[str], list[str]]:
        """Raises Refused, and then nothing has changed. Returns what is to be known of it; what did not go well."""
        if plan.is_empty:
            return [], []
        config = served.config
        if plan.refusal is not None:
            raise Refused(plan.refusal)
        if (missing := missing_privileges(config)) is not None:
            raise Refused(missing)
        reading = self._node.try_certificates(config)
        if fatal := fatal_troubles(reading):
            raise Refused("; ".join(map(str, fatal)))
        with self._new_sockets(config) as sockets:
            notes = await self._move_away(plan)
            self._node.apply(served, plan, sockets, reading)
            self._served = served
        return notes, await self._node.settled(ANSWER_S)

    async def _move_away(self, plan: Plan) -> list[str]:
        """Hand over what the plan wants elsewhere. Raises Refused where that is needed and not possible; where it would
        only have been better, says so."""
        active = self._node.active_routers()
        if plan.moving and active:
            why_not = await self._node.move_away(f"a reload needs it: {'; '.join(plan.moving)}")
            if why_not is not None:
                raise Refused(f"{'; '.join(plan.moving)}: that needs a handover first, and {why_not}")
        elif plan.giving.intersection(active):
            names = ", ".join(plan.anew)
            why_not = await self._node.move_away(f"a reload makes {names} anew", only=plan.giving)
            if why_not is not None:
                log.warning("made anew without a handover", extra={"routers": names, "reason": why_not})
                return [f"{names}: begins anew without a handover: {why_not}"]
        return []

    @contextmanager
    def _new_sockets(self, config: NodeConfig) -> Iterator[NodeSockets]:
        """Opened before anything is changed, and closed again where it then is not."""
        try:
            sockets = self._node.sockets_for(config)
        except (ListenFailed, LogFileError) as error:
            raise Refused(str(error)) from error
        try:
            if (needed := sockets.needed) >= MAX_FDS:
                raise Refused(f"at most {MAX_FDS - 1} listen addresses and log files, not {needed}")
            yield sockets
        except BaseException:
            self._node.close_beside(sockets)
            raise

    async def _watch(self) -> None:
        """Reload when the file has changed, and a look later is still the same: then whoever writes it has finished."""
        seen = taken = self._signature()
        while True:
            await trio.sleep(LOOK_EVERY_S)
            before, seen = seen, self._signature()
            if seen == before and seen != taken:
                taken = seen
                if self._served.config.watch_file:
                    self.ask("the file has changed")

    def _signature(self) -> object:
        folder = Path(self._path).parent
        names = [Path(self._path), *(folder / name for name in self._served.config.balancer.files)]
        return [_signed(name) for name in names]


def _signed(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size
