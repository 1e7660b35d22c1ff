"""What the running program did, written down so that the pure machine can be asked to do it again. Pure.

A recording is lines of JSON. A line with `config` introduces a virtual router; each other line is one event: `router`,
`at` (the monotonic clock), `event`, and the `effects` that came of it. A machine that decides otherwise than the
recorded one did has been changed, or depends on something that is no event.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any

from vrrp import events
from vrrp.advertisement import Advertisement
from vrrp.config import VirtualRouterConfig
from vrrp.events import Effect, Event
from vrrp.router import VirtualRouter

_ADDRESSES = {kind.__name__: kind for kind in (IPv4Address, IPv4Interface, IPv6Address, IPv6Interface)}
_TYPES: Mapping[str, Any] = {
    **{name: kind for name, kind in vars(events).items() if dataclasses.is_dataclass(kind)},
    "Advertisement": Advertisement,
    "VirtualRouterConfig": VirtualRouterConfig,
}


class Diverged(Exception):  # noqa: N818 - what it says of a machine
    """The machine did otherwise than the recorded one. The text says where, what, and what instead."""


def introduce(config: VirtualRouterConfig) -> str:
    """The line that comes before a router's events."""
    return json.dumps({"config": _plain(config)})


def record(router: str, at: float, event: Event, effects: Sequence[Effect]) -> str:
    """The line of an event."""
    return json.dumps({"router": router, "at": at, "event": _plain(event), "effects": [_plain(one) for one in effects]})


def replay(lines: Iterable[str]) -> int:
    """Play a recording and return the number of events. Raises Diverged; ValueError where it is not a recording."""
    machines: dict[str, VirtualRouter] = {}
    played = 0
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            if "config" in entry:
                config = _value(entry["config"])
                machines[config.name] = VirtualRouter(config)
                continue
            machine, event = machines[entry["router"]], _value(entry["event"])
            expected = tuple(_value(one) for one in entry["effects"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"line {number} is not of a recording: {error}") from error
        done = machine.handle(event, entry["at"])
        if done != expected:
            raise Diverged(f"line {number}: {event} at {entry['at']} led to {done}, and was recorded with {expected}")
        played += 1
    return played


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if type(value).__name__ in _ADDRESSES:
        return {"type": type(value).__name__, "text": str(value)}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(_value(one) for one in plain)
    if not isinstance(plain, dict):
        return plain
    fields = {name: _value(one) for name, one in plain.items() if name != "type"}
    kind = plain["type"]
    return _ADDRESSES[kind](fields["text"]) if kind in _ADDRESSES else _TYPES[kind](**fields)
