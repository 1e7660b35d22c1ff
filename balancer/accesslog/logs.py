"""All access logs of one worker: a journal for each frontend, a writer for each target that they share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial

from balancer.accesslog.journal import Journal
from balancer.accesslog.writer import FileTarget, Writer, open_target
from balancer.config import AccessLog, BalancerConfig, Frontend
from balancer.config_log import parse_target
from balancer.reactor import Reactor
from balancer.slots import Slots


class AccessLogs:
    """`files` has an open descriptor for the path of each file that is logged to; the rest is opened here."""

    def __init__(self, reactor: Reactor, slots: Slots, config: BalancerConfig, files: Mapping[str, int]) -> None:
        self._reactor = reactor
        self._files: dict[str, int] = {}
        self._writers: dict[tuple[str, str], Writer] = {}
        """By target and tag."""
        self._idle: list[Writer] = []
        """No frontend writes there any more, but perhaps a request that began before."""
        self._dropped_before = 0
        self._journals: dict[str, tuple[Frontend, Journal]] = {}
        self._places: dict[tuple[str, str, str], tuple[tuple[int, ...], ...]] = {}
        """By frontend, pool and server: where the numbers are that a line of them shows."""
        self._look_at(slots, config)
        self._files |= files

    def _look_at(self, slots: Slots, config: BalancerConfig) -> None:
        self._slots = slots
        self._frontends = {name: slots.frontend_open_indexes(name, besides=-1) for name in config.frontends}
        self._all = tuple(index for indexes in self._frontends.values() for index in indexes)
        pairs = ((name, server) for name, pool in config.pools.items() for server in pool.servers)
        self._servers = {pair: slots.open_indexes(*pair) for pair in pairs}
        self._pools = {
            name: tuple(index for (pool, _), indexes in self._servers.items() if pool == name for index in indexes)
            for name in config.pools
        }
        self._places.clear()

    def become(self, slots: Slots, config: BalancerConfig, files: Mapping[str, int]) -> None:
        """Go on with another configuration; `files` are those that came with it. `journal` is to be asked anew."""
        for writer in self._idle:
            self._dropped_before += writer.dropped
            writer.end()
        self._files |= files
        self._look_at(slots, config)
        logs = [one.access_log for one in config.frontends.values() if one.access_log is not None]
        used = {(log.to, log.tag) for log in logs if log.format != "off"}
        self._idle = [writer for key, writer in self._writers.items() if key not in used]
        self._writers = {key: writer for key, writer in self._writers.items() if key in used}
        for name in self._journals.keys() - config.frontends.keys():
            self._journals.pop(name)[1].flush()

    def journal(self, name: str, frontend: Frontend) -> Journal | None:
        """A frontend's log, the same as before where the frontend is; None: it has none."""
        known = self._journals.pop(name, None)
        config = frontend.access_log
        if known is not None:
            known[1].flush()
        if config is None or config.format == "off":
            return None
        if known is None or (known[0].access_log, known[0].mode) != (config, frontend.mode):
            gauges = partial(self._gauges, name)
            made = Journal(name, frontend, reactor=self._reactor, writer=self._writer(config), gauges=gauges)
        else:
            made = known[1]
        self._journals[name] = frontend, made
        return made

    def _writer(self, config: AccessLog) -> Writer:
        key = (config.to, config.tag)
        if key not in self._writers:
            kind, where = parse_target(config.to)
            target = open_target(kind, where, tag=config.tag, fd=self._files.pop(config.to, None))
            self._writers[key] = Writer(target, config.queue_lines)
        return self._writers[key]

    def close_unused(self) -> None:
        """Every journal was asked for: no other file will be written to."""
        for fd in self._files.values():
            os.close(fd)
        self._files.clear()

    def _gauges(self, frontend: str, pool: str, server: str) -> tuple[int, int, int, int]:
        places = (frontend, pool, server)
        found = self._places.get(places)
        if found is None:
            found = self._places[places] = self._places_of(frontend, pool, server)
        return self._slots.open_at_each(*found)

    def _places_of(self, frontend: str, pool: str, server: str) -> tuple[tuple[int, ...], ...]:
        here = self._servers.get((pool, server), ())
        return self._all, self._frontends[frontend], self._pools.get(pool, ()), here

    def replace(self, path: str, fd: int) -> None:
        """A file has been opened anew: write what comes from now on there. Takes the descriptor over."""
        for (to, _), writer in self._writers.items():
            if to == path:
                self.flush()
                writer.replace(FileTarget(fd, owned=True))

    @property
    def dropped(self) -> int:
        """Lines that nobody will read, of all logs."""
        return self._dropped_before + sum(writer.dropped for writer in (*self._writers.values(), *self._idle))

    def flush(self) -> None:
        """Have all lines written that wait for others."""
        for _, journal in self._journals.values():
            journal.flush()

    def close(self) -> None:
        """Write what waits, for a second at most."""
        self.flush()
        for writer in (*self._writers.values(), *self._idle):
            writer.close()


def log_paths(frontends: Iterable[Frontend]) -> tuple[str, ...]:
    """The paths of all files that are logged to."""
    logs = [frontend.access_log for frontend in frontends if frontend.access_log is not None]
    return tuple(sorted({log.to for log in logs if log.format != "off" and parse_target(log.to)[0] == "file"}))
