"""Whom a request belongs to, in one pool: by its cookie, else by its client's address. Pure."""

from collections.abc import Callable

from balancer.persistence.cookies import CookieJar
from balancer.persistence.table import SourceTable
from balancer.policies.base import Request


class Belonging:
    """What one worker knows of one pool. `clock` is that of the table; `date_ms` gives milliseconds since 1970."""

    __slots__ = ("_clock", "_date_ms", "jar", "table")

    def __init__(
        self,
        jar: CookieJar | None,
        table: SourceTable | None,
        clock: Callable[[], float],
        date_ms: Callable[[], int],
    ) -> None:
        self.jar = jar
        self.table = table
        self._clock = clock
        self._date_ms = date_ms

    def server_of(self, request: Request) -> str | None:
        """The server that a request belongs to, whether or not it can take it; None: to nobody."""
        if self.jar is not None and (server := self.jar.read(request.fields).server) is not None:
            return server
        if self.table is not None and (client := self.table.key_of(request.client)):
            return self.table.find(client, self._clock())
        return None

    def went_to(self, request: Request, server: str) -> None:
        """A request was given this server."""
        if self.table is not None and (client := self.table.key_of(request.client)):
            self.table.assign(client, server, self._clock(), self._date_ms())
