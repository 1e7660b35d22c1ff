"""The sockets and files that a node opens for others: for its workers, and for its admin server."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from balancer.accesslog.logs import log_paths
from balancer.datagrams import close_datagram_sockets, open_datagram_sockets
from balancer.fieldtypes import Endpoint
from balancer.listener import close_listeners, open_listeners, set_file
from hapair.config import NodeConfig
from hapair.logfiles import LogFiles
from hapair.node_admin import open_admin


@dataclass(slots=True)
class NodeSockets:
    """All of them. Those of listen addresses that stay are the same objects after a reload."""

    listeners: Mapping[Endpoint, socket.socket]
    datagrams: Mapping[Endpoint, Sequence[socket.socket]]
    """One for each worker."""
    admin: Mapping[Endpoint, socket.socket]
    logs: LogFiles

    @classmethod
    def open(cls, config: NodeConfig) -> Self:
        """Raises balancer.listener.ListenFailed or hapair.logfiles.LogFileError, and then none is open."""
        return cls({}, {}, {}, LogFiles(())).after(None, config)

    def after(self, before: NodeConfig | None, config: NodeConfig) -> Self:
        """Those for another configuration, opened beside these. Raises as `open`, and then none more is open."""
        balancer = config.balancer
        frontends = balancer.stream_frontends()
        old = {} if before is None else before.balancer.stream_frontends()
        stay = {
            endpoint: one
            for endpoint, one in self.listeners.items()
            if endpoint in frontends and (endpoint.is_unix or old[endpoint].tcp == frontends[endpoint].tcp)
        }
        leave = {endpoint: one for endpoint, one in self.listeners.items() if endpoint not in stay}
        made = type(self)({}, {}, {}, self.logs)
        try:
            made.listeners = stay | open_listeners(
                [one for one in frontends if one not in stay], frontends, beside=leave
            )
            wanted = balancer.datagram_listeners()
            made.datagrams = open_datagram_sockets(wanted, max(1, config.workers), self.datagrams)
            made.admin = open_admin(config.admin, self.admin)
            self.logs.add(log_paths(balancer.frontends.values()))
            for endpoint in stay:
                if endpoint.is_unix and old[endpoint].unix != frontends[endpoint].unix:
                    set_file(endpoint, frontends[endpoint].unix)
        except BaseException:
            made.close(but=self)
            raise
        return made

    @property
    def needed(self) -> int:
        """How many descriptors each worker is given."""
        return len(self.listeners) + len(self.logs.fds) + len(self.datagrams)

    def keep_logs(self, config: NodeConfig) -> None:
        """Close the files that nobody writes to any more."""
        self.logs.keep(set(log_paths(config.balancer.frontends.values())))

    def close(self, but: Self | None = None) -> None:
        """Close them, and remove the files of unix sockets; but for those that are also in others."""
        kept = set() if but is None else {*but.listeners.values(), *but.admin.values(), *_flat(but.datagrams)}
        names = set() if but is None else {endpoint for endpoint in but.listeners if endpoint.is_unix}
        for endpoint, one in self.listeners.items():
            if one not in kept and endpoint in names:
                one.close()
            elif one not in kept:
                close_listeners({endpoint: one})
        close_listeners({endpoint: one for endpoint, one in self.admin.items() if one not in kept})
        rest = {endpoint: [one for one in ones if one not in kept] for endpoint, ones in self.datagrams.items()}
        close_datagram_sockets(rest)
        if but is None:
            self.logs.close()


def _flat(sockets: Mapping[Endpoint, Sequence[socket.socket]]) -> list[socket.socket]:
    return [one for several in sockets.values() for one in several]
