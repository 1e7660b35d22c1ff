"""An operator that writes down what it is told: one pool `web` with servers web1, web2 and web3."""

from typing import Any


class Recorder:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def _note(self, *what: Any) -> Any:
        if what[1] != "web" or what[2] not in ("web1", "web2", "web3"):
            raise KeyError(what[1:3])
        self.told.append(what)

    def administer(self, pool: str, server: str, admin: str, *, by: str) -> Any:
        return self._note("administer", pool, server, admin, by)

    def weigh(self, pool: str, server: str, weight: int | None) -> Any:
        return self._note("weigh", pool, server, weight)

    def limit(self, pool: str, server: str, max_connections: int | None) -> Any:
        return self._note("limit", pool, server, max_connections)

    def move(self, pool: str, server: str, endpoint: Any) -> Any:
        return self._note("move", pool, server, str(endpoint))

    def force_health(self, pool: str, server: str, word: str, *, by: str) -> Any:
        return self._note("health", pool, server, word)

    def force_agent(self, pool: str, server: str, up: bool) -> Any:
        raise ValueError("agent checks are not enabled on this server.")

    def watch(self, pool: str, server: str, *, checks: bool | None = None, agent: bool | None = None) -> Any:
        return self._note("watch", pool, server, checks, agent)

    def edit(self, pool: str, server: str, what: str, value: Any) -> Any:
        return self._note("edit", pool, server, what, value)

    def place_check(self, pool: str, server: str, host: str | None, port: int | None) -> Any:
        return self._note("place_check", pool, server, host, port)

    def place_agent(self, pool: str, server: str, host: str | None, port: int | None) -> Any:
        return self._note("place_agent", pool, server, host, port)
