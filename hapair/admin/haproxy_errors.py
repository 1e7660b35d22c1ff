"""`show errors`, as HAProxy has it: the last malformed request and response of each proxy, with where it is wrong."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from balancer.evidence import Evidence
from hapair.admin.haproxy_cli import Command, Refused
from hapair.snapshot import NodeSnapshot

_LINE_BYTES: Final = 80
_LETTERS: Final = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x1B: "\\e", 0x5C: "\\\\"}


class Errors(Protocol):
    """hapair.node_traffic.NodeTraffic."""

    async def errors(self) -> tuple[int, list[Evidence]]: ...


class ErrorCommands:
    """Of one node."""

    def __init__(self, errors: Errors, look: Callable[[], NodeSnapshot]) -> None:
        self._errors = errors
        self._look = look

    def commands(self) -> tuple[Command, ...]:
        """For HaproxyCli."""
        usage = "show errors [<px>] [request|response]"
        return (Command(("show", "errors"), usage, "report the last malformed messages of each proxy", self._show),)

    async def _show(self, words: Sequence[str]) -> str:
        numbers = _numbers(self._look())
        rest = list(words[2:])
        kinds = [rest.pop()] if rest and rest[-1] in ("request", "response") else ["request", "response"]
        wanted = None if not rest or rest[0] == "-1" else rest[0]
        if wanted is not None and not any(wanted in (str(number), name) for (_, name), number in numbers.items()):
            raise Refused("No such proxy.")
        count, errors = await self._errors.errors()
        lines = [f"Total events captured on [{_date(0.0)}] : {count}"]
        for one in errors:
            number = numbers.get(("frontend" if one.kind == "request" else "backend", one.proxy), -1)
            if one.kind in kinds and wanted in (None, one.proxy, str(number)):
                lines += [" ", *_report(one, numbers, self._look())]
        return "".join(f"{line}\n" for line in lines)


def _numbers(node: NodeSnapshot) -> dict[tuple[str, str], int]:
    """As the statistics number them."""
    named = [*(("frontend", one.name) for one in node.frontends), *(("backend", one.name) for one in node.pools)]
    return {name: number for number, name in enumerate(named, 1)}


def _report(one: Evidence, numbers: dict[tuple[str, str], int], node: NodeSnapshot) -> Iterator[str]:
    frontend = f"{one.frontend} (#{numbers.get(('frontend', one.frontend), -1)})"
    backend = f"{one.pool} (#{numbers.get(('backend', one.pool), -1)})" if one.pool else "<NONE> (#-1)"
    when = _date(time.monotonic() - one.at)
    if one.kind == "request":
        yield f"[{when}] frontend {frontend}: invalid request"
        about = f"backend {backend}"
    else:
        yield f"[{when}] backend {backend}: invalid response"
        about = f"frontend {frontend}"
    yield f"  {about}, server {_server(one, node)}, event #{one.number}, src {one.client}:{one.port}"
    yield f"  len {one.size}, error at position {one.position}"
    yield f"  {one.reason} :"
    yield "  "
    yield from dumped(one.data)
    if one.size > len(one.data):
        yield f"  ... {one.size - len(one.data)} bytes more"


def _server(one: Evidence, node: NodeSnapshot) -> str:
    if not one.server:
        return "<NONE> (#-1)"
    servers = next((pool.servers for pool in node.pools if pool.name == one.pool), ())
    number = next((place for place, server in enumerate(servers, 1) if server.name == one.server), -1)
    return f"{one.server} (#{number})"


def dumped(data: bytes) -> Iterator[str]:
    """Line by line, each with its place; `+` goes on with a line that is long. What cannot be printed is escaped."""
    at = begun = 0
    while at < len(data):
        line, place = f"  {at:05d}{' ' if at == begun else '+'} ", at
        while at < len(data):
            shown = _LETTERS.get(data[at]) or (chr(data[at]) if 0x20 <= data[at] < 0x7F else f"\\x{data[at]:02X}")
            if len(line) + len(shown) > _LINE_BYTES - 1:
                break
            line += shown
            at += 1
            if data[at - 1] == 0x0A:
                begun = at
                break
        yield line
        assert at > place, "a line has room for one byte"


def _date(ago_s: float) -> str:
    """`25/Nov/2026:22:00:10.985`, in the time zone of the machine and words of no locale."""
    when = datetime.now().astimezone() - timedelta(seconds=ago_s)
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return f"{when:%d}/{months[when.month - 1]}/{when:%Y:%H:%M:%S}.{when.microsecond // 1000:03d}"
