"""HAProxy's runtime commands: words in, text out, in HAProxy's words.

An answer is empty where there is nothing to say, else it ends with a line end; who sends it adds the empty line.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hapair.admin import haproxy_addr, haproxy_info, haproxy_places, haproxy_tables, server_state
from hapair.admin.haproxy_rows import TYPE_BACKEND, TYPE_FRONTEND, TYPE_SERVER, Row
from hapair.admin.levels import DENIED, Level, level_of, may
from hapair.admin.operator import Editor, act
from hapair.admin.stats_formats import csv, to_json, typed
from hapair.admin.surfaces import Surfaces
from hapair.snapshot import PoolView, ServerView

BY: Final = "the runtime socket"
_BITS: Final = {TYPE_FRONTEND: 1, TYPE_BACKEND: 2, TYPE_SERVER: 4}
_WEIGHT: Final = re.compile(r"-?[0-9]{1,9}")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_SPLIT_COMMANDS: Final = re.compile(r"(?<!\\);")
_SPLIT_WORDS: Final = re.compile(r"(?<!\\)[ \t]+")


Answer = str | Awaitable[str]


class Refused(Exception):  # noqa: N818 - named for what happened
    """A command that was not carried out; the text is HAProxy's."""


@dataclass(frozen=True, slots=True)
class Command:
    """What it begins with, what `help` says, and who carries it out."""

    words: tuple[str, ...]
    usage: str
    meaning: str
    run: Callable[[Sequence[str]], Answer]
    """Called with the words of the command, and what it brings after `<<` as the last of them. Raises Refused."""


def split_commands(line: str) -> list[str]:
    """The commands of one line, between semicolons that no backslash stands before."""
    return [part.strip() for part in _SPLIT_COMMANDS.split(line)]


def split_words(command: str) -> list[str]:
    """The words of a command; a backslash takes the meaning from what follows it."""
    return [_ESCAPED.sub(r"\1", word) for word in _SPLIT_WORDS.split(command.strip()) if word]


class HaproxyCli:
    """The commands of one node."""

    def __init__(
        self,
        surfaces: Surfaces,
        operator: Editor,
        environment: Mapping[str, str],
        tables: haproxy_tables.Tables | None = None,
        *,
        more: Iterable[Command] = (),
    ) -> None:
        self._tables = tables
        self._surfaces = surfaces
        self._operator = operator
        self._environment = environment
        self.commands = tuple(
            Command(tuple(re.split(r" [\[<{(]", usage)[0].split()), usage, meaning, run)
            for usage, meaning, run in self._table()
        ) + tuple(more)

    def _table(self) -> list[tuple[str, str, Callable[[Sequence[str]], str]]]:
        return [
            ("clear table <table> [key <key>]", "forget clients, on both nodes", self._clear_table),
            ("disable agent <bk>/<srv>", "ask the agent of a server no more", self._switch("dagent")),
            ("disable health <bk>/<srv>", "check a server no more", self._switch("dhlth")),
            ("disable server <bk>/<srv>", "take a server out of service", self._switch("maint")),
            ("enable agent <bk>/<srv>", "ask the agent of a server again", self._switch("eagent")),
            ("enable health <bk>/<srv>", "check a server again", self._switch("ehlth")),
            ("enable server <bk>/<srv>", "bring a server back into service", self._switch("ready")),
            ("get weight <bk>/<srv>", "report a server's weight", self._get_weight),
            ("set maxconn server <bk>/<srv> <n>", "change how many connections a server may have", self._set_maxconn),
            ("set server <bk>/<srv> [opts]", "change a server's state, health, agent or weight", self._set_server),
            ("set weight <bk>/<srv> <n>[%]", "change a server's weight (use 'set server' instead)", self._set_weight),
            ("show backend", "list backends", self._show_backend),
            ("show env [<var>]", "list the environment of the node process", self._show_env),
            ("show info [typed|json]", "report on the process", self._show_info),
            ("show peers [<peers>]", "show who tables are shared with", self._show_peers),
            ("show servers conn [<bk>]", "list connections to servers", self._show_servers),
            ("show servers state [<bk>]", "list the state of servers", self._show_servers),
            ("show stat [<px> <type> <sid>] [typed|json]", "report counters of proxies and servers", self._show_stat),
            ("show table [<table> [key <key>]]", "list tables, or the clients in one", self._show_table),
            ("show version", "show the version", self._show_version),
            ("help [<command>]", "list matching or all commands", self._help),
        ]  # fmt: skip

    def run(self, command: str) -> str:
        """One command that needs nobody else to answer it, by an admin."""
        answer = self._begun(split_words(command), "admin")
        assert isinstance(answer, str)
        return answer

    async def answer(self, command: str, level: Level = "admin", payload: str | None = None) -> str:
        """One command of somebody who may do so much, and what came with it."""
        words = split_words(command)
        if payload is not None:
            words.append(payload)
        try:
            answer = self._begun(words, level)
            return answer if isinstance(answer, str) else await answer
        except Refused as refused:
            return f"{refused}\n"

    def _begun(self, words: Sequence[str], level: Level) -> Answer:
        for known in self.commands:
            if tuple(words[: len(known.words)]) == known.words:
                if not may(level, level_of(words)):
                    return DENIED
                try:
                    return known.run(words)
                except Refused as refused:
                    return f"{refused}\n"
        return self._unknown(words)

    def _unknown(self, words: Sequence[str]) -> str:
        near = [one for one in self.commands if words and one.words[0] == words[0]]
        if near:
            return f"Unknown command, but maybe one of the following ones is a better match:\n{self._listed(near)}"
        return f"Unknown command. Please enter one of the following commands only:\n{self._listed(self.commands)}"

    def _help(self, words: Sequence[str]) -> str:
        begin = tuple(words[1:])
        found = [one for one in self.commands if one.words[: len(begin)] == begin]
        return f"The following commands are valid at this level:\n{self._listed(found or self.commands)}"

    def _listed(self, commands: Sequence[Command]) -> str:
        pairs = [(one.usage, one.meaning) for one in commands]
        pairs += [("prompt", "toggle interactive mode with prompt"), ("quit", "disconnect")]
        return "".join(f"  {usage:<42}: {meaning}\n" for usage, meaning in pairs)

    def _found(self, words: Sequence[str], place: int) -> tuple[PoolView, ServerView]:
        """The server that is named there. Raises Refused."""
        pool_name, slash, server_name = (words[place] if len(words) > place else "").partition("/")
        if not slash or not server_name:
            raise Refused("Require 'backend/server'.")
        pool = next((one for one in self._surfaces.look().pools if one.name == pool_name), None)
        if pool is None:
            raise Refused("No such backend.")
        server = next((one for one in pool.servers if one.name == server_name), None)
        if server is None:
            raise Refused("No such server.")
        return pool, server

    def _done(self, pool: PoolView, server: ServerView, action: str) -> str:
        try:
            act(self._operator, action, pool.name, server.name, by=BY)
        except ValueError as error:
            raise Refused(str(error)) from error
        return ""

    def _switch(self, action: str) -> Callable[[Sequence[str]], str]:
        return lambda words: self._done(*self._found(words, 2), action)

    def _clear_table(self, words: Sequence[str]) -> str:
        return haproxy_tables.clear_table(self._tables, words)

    def _show_peers(self, words: Sequence[str]) -> str:
        return haproxy_tables.show_peers(self._surfaces.look(), words)

    def _show_table(self, words: Sequence[str]) -> str:
        return haproxy_tables.show_table(self._surfaces.look(), self._tables, words)

    def _get_weight(self, words: Sequence[str]) -> str:
        _, server = self._found(words, 2)
        return f"{server.full_weight} (initial {server.weight_in_file})\n"

    def _set_weight(self, words: Sequence[str]) -> str:
        pool, server = self._found(words, 2)
        return self._weigh(pool, server, words[3] if len(words) > 3 else "")

    def _weigh(self, pool: PoolView, server: ServerView, text: str) -> str:
        if not text:
            raise Refused("Require <weight> or <weight%>.")
        if not _WEIGHT.fullmatch(text.removesuffix("%")):
            raise Refused("Empty weight string empty or preceded by garbage")
        number = int(text.removesuffix("%"))
        if text.endswith("%"):
            if number < 0:
                raise Refused("Relative weight must be positive.")
            number = server.weight_in_file * number // 100
        if not 0 <= number <= 256:
            raise Refused("Absolute weight can only be between 0 and 256 inclusive.")
        self._operator.weigh(pool.name, server.name, number)
        return ""

    def _set_maxconn(self, words: Sequence[str]) -> str:
        pool, server = self._found(words, 3)
        text = words[4] if len(words) > 4 else ""
        if not text:
            raise Refused("Require <maxconn>.")
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise Refused("maxconn string empty or preceded by garbage")
        self._operator.limit(pool.name, server.name, int(text) or None)
        return ""

    def _set_server(self, words: Sequence[str]) -> str:
        pool, server = self._found(words, 2)
        what, value = (*words[3:5], "", "")[:2]
        actions = {
            "state": {"ready": "ready", "drain": "drain", "maint": "maint"},
            "health": {"up": "hrunn", "stopping": "hnolb", "down": "hdown"},
            "agent": {"up": "arunn", "down": "adown"},
        }
        expected = {
            "state": "'set server <srv> state' expects 'ready', 'drain' and 'maint'.",
            "health": "'set server <srv> health' expects 'up', 'stopping', or 'down'.",
            "agent": "'set server <srv> agent' expects 'up' or 'down'.",
        }
        if what == "weight":
            return self._weigh(pool, server, value)
        if what == "addr":
            return haproxy_addr.move(self._operator, pool, server, words[4:])
        if what in haproxy_places.PLACES:
            return haproxy_places.run(self._operator, pool, server, what, words[4:])
        if what == "ssl":
            return haproxy_places.SSL
        if what not in actions:
            kinds = " | ".join(sorted((*actions, *haproxy_places.PLACES, "addr", "ssl", "weight")))
            raise Refused(f"usage: set server <backend>/<server> {kinds}")
        if value not in actions[what]:
            raise Refused(expected[what])
        return self._done(pool, server, actions[what][value])

    def _show_backend(self, words: Sequence[str]) -> str:
        return "".join(f"{line}\n" for line in ("# name", *(one.name for one in self._surfaces.look().pools)))

    def _show_env(self, words: Sequence[str]) -> str:
        wanted = words[2] if len(words) > 2 else None
        if wanted is not None and wanted not in self._environment:
            raise Refused("Variable not found")
        shown = self._environment if wanted is None else {wanted: self._environment[wanted]}
        return "".join(f"{name}={value}\n" for name, value in shown.items())

    def _show_info(self, words: Sequence[str]) -> str:
        node, _ = self._surfaces.rows()
        fields = haproxy_info.info_of(node, self._surfaces.rates, self._surfaces.started_at)
        if "json" in words:
            return haproxy_info.to_json(fields)
        return haproxy_info.typed(fields) if "typed" in words else haproxy_info.plain(fields)

    def _show_servers(self, words: Sequence[str]) -> str:
        pools = list(server_state.pools_numbered(self._surfaces.look()))
        if len(words) > 3:
            pools = [(number, pool) for number, pool in pools if words[3] in (pool.name, str(number))]
            if not pools:
                raise Refused("Can't find backend.")
        return server_state.connections(pools) if words[2] == "conn" else server_state.state(pools)

    def _show_stat(self, words: Sequence[str]) -> str:
        _, rows = self._surfaces.rows()
        rest = list(words[2:])
        if rest[:1] == ["domain"]:
            rest = rest[2:]
        if len(rest) >= 3 and all(re.fullmatch(r"-?[0-9]{1,9}", one) for one in rest[1:3]):
            rows = _chosen(rows, rest[0], int(rest[1]), int(rest[2]))
            rest = rest[3:]
        if "up" in rest:
            rows = [row for row in rows if not str(row["status"]).startswith("DOWN")]
        if "no-maint" in rest:
            rows = [row for row in rows if not str(row["status"]).startswith("MAINT")]
        if "json" in rest:
            return f"{to_json(rows)}\n"
        return typed(rows) if "typed" in rest else csv(rows)

    def _show_version(self, words: Sequence[str]) -> str:
        return f"{self._surfaces.look().hapair}\n"


def _chosen(rows: Sequence[Row], proxy: str, kinds: int, sid: int) -> list[Row]:
    """By number or name of the proxy, bits of types, and number of the server; -1 for any."""
    return [
        row
        for row in rows
        if proxy in ("-1", str(row["iid"]), row["pxname"])
        and (kinds == -1 or kinds & _BITS[int(row["type"] or 0)])
        and sid in (-1, row["sid"])
    ]
