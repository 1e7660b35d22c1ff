"""Unix sockets for HAProxy's commands, beside the runtime socket, each with a level: for programs that only look."""

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import trio

from balancer.config_sockets import ListenTcp
from balancer.fieldtypes import Endpoint
from balancer.listener import ListenFailed, close_listeners, open_listener
from hapair.admin.haproxy_session import Run
from hapair.admin.runtime import serve_commands
from hapair.config.runtime import CommandSocket

log = logging.getLogger(__name__)

BACKLOG = 16


@dataclass(slots=True)
class _Open:
    settings: CommandSocket
    endpoint: Endpoint
    listening: socket.socket
    scope: trio.CancelScope

    def close(self) -> None:
        self.scope.cancel()
        close_listeners({self.endpoint: self.listening})


class CommandSockets:
    """Those of a node. `run` must run; `run_text` carries out one command."""

    def __init__(self, sockets: Mapping[str, CommandSocket], run_text: Run) -> None:
        """Raises balancer.listener.ListenFailed, and then none is open."""
        self._run_text = run_text
        self._open: dict[str, _Open] = {}
        self._nursery: trio.Nursery | None = None
        try:
            for path, settings in sockets.items():
                self._open[path] = _opened(path, settings)
        except BaseException:
            self.close()
            raise

    async def run(self) -> None:
        """For ever."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(trio.sleep_forever)
            for one in self._open.values():
                self._nursery.start_soon(self._serve, one)

    async def _serve(self, one: _Open) -> None:
        with one.scope:
            listener = trio.SocketListener(trio.socket.from_stdlib_socket(one.listening.dup()))
            await serve_commands(listener, self._run_text, one.settings.level)

    def reload(self, sockets: Mapping[str, CommandSocket]) -> None:
        """These from now on. One that cannot be opened is logged, and missing."""
        for path in [path for path, one in self._open.items() if sockets.get(path) != one.settings]:
            self._open.pop(path).close()
        for path, settings in sockets.items():
            if path in self._open:
                continue
            try:
                one = self._open[path] = _opened(path, settings)
            except ListenFailed as failure:
                log.error("a socket for commands is missing", extra={"path": path, "reason": failure})
                continue
            if self._nursery is not None:
                self._nursery.start_soon(self._serve, one)

    def close(self) -> None:
        """At the end: the files go, too."""
        for one in self._open.values():
            one.close()
        self._open.clear()


def _opened(path: str, settings: CommandSocket) -> _Open:
    endpoint = Endpoint.parse_listen(f"unix:{path}")
    return _Open(
        settings, endpoint, open_listener(endpoint, ListenTcp(backlog=BACKLOG), settings.file), trio.CancelScope()
    )
