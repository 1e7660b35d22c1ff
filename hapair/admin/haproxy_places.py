"""Where a server is checked, its agent asked, and what its name is: `set server ... check-addr` and its kind."""

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Final

from hapair.admin.operator import Editor
from hapair.snapshot import PoolView, ServerView

_BY: Final = " by 'stats socket command'\n"
_NO_CHECKS: Final = "health checks are not enabled on this server\n"
_NO_AGENT: Final = "agent checks are not enabled on this server\n"
SSL: Final = "'set server <srv> ssl' cannot be set.  default-server should define ssl settings\n"

Run = Callable[[Editor, PoolView, ServerView, Sequence[str]], str]


class _Wrong(Exception):  # noqa: N818 - named for what happened
    """The text is HAProxy's."""


def run(editor: Editor, pool: PoolView, server: ServerView, what: str, words: Sequence[str]) -> str:
    """Carry out one of PLACES; what HAProxy says of it."""
    if what.startswith("check-") and server.rise is None:
        return _NO_CHECKS
    if what.startswith("agent-") and server.agent_up is None:
        return _NO_AGENT
    try:
        return PLACES[what](editor, pool, server, words)
    except _Wrong as wrong:
        return str(wrong)
    except ValueError as error:
        return f"{error}\n"


def _check_addr(editor: Editor, pool: PoolView, server: ServerView, words: Sequence[str]) -> str:
    editor.place_check(pool.name, server.name, *_address("check-addr", words))
    return ""


def _check_port(editor: Editor, pool: PoolView, server: ServerView, words: Sequence[str]) -> str:
    editor.place_check(pool.name, server.name, None, _port("check-port", words))
    return ""


def _agent_addr(editor: Editor, pool: PoolView, server: ServerView, words: Sequence[str]) -> str:
    editor.place_agent(pool.name, server.name, *_address("agent-addr", words))
    return ""


def _agent_port(editor: Editor, pool: PoolView, server: ServerView, words: Sequence[str]) -> str:
    editor.place_agent(pool.name, server.name, None, _port("agent-port", words))
    return ""


def _agent_send(editor: Editor, pool: PoolView, server: ServerView, words: Sequence[str]) -> str:
    editor.edit(pool.name, server.name, "agent_send", words[0] if words else "")
    return ""


def _fqdn(editor: Editor, pool: PoolView, server: ServerView, words: Sequence[str]) -> str:
    if not words:
        return "set server <b>/<s> fqdn requires a FQDN.\n"
    before, colon, _ = (server.known_as or "").rpartition(":")
    if not colon:
        return "set server <b>/<s> fqdn failed because no resolution is configured.\n"
    name = words[0].lower().removesuffix(".")
    if name == before:
        return f"no need to change the FDQN{_BY}"
    editor.edit(pool.name, server.name, "name", name)
    return f"{pool.name}/{server.name} changed its FQDN from {before} to {name}{_BY}"


def _address(what: str, words: Sequence[str]) -> tuple[str, int | None]:
    if not words:
        raise _Wrong(f"set server <b>/<s> {what} requires an address and optionally a port.\n")
    try:
        host = str(ip_address(words[0]))
    except ValueError:
        raise _Wrong(f"invalid addr '{words[0]}'\n") from None
    return host, _number(words[2] if len(words) > 2 else "") if words[1:2] == ["port"] else None


def _port(what: str, words: Sequence[str]) -> int:
    if not words:
        raise _Wrong(f"set server <b>/<s> {what} requires a port.\n")
    return _number(words[0])


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise _Wrong("provided port is not an integer\n")
    if not 1 <= int(text) <= 65_535:
        raise _Wrong("provided port is invalid\n")
    return int(text)


PLACES: Final[Mapping[str, Run]] = {
    "agent-addr": _agent_addr,
    "agent-port": _agent_port,
    "agent-send": _agent_send,
    "check-addr": _check_addr,
    "check-port": _check_port,
    "fqdn": _fqdn,
}
