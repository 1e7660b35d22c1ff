"""docs/configuration.md tells every key of the file: its name, how it is written and its default follow from the types.

What a key means is for a person to write. On a failure pytest shows the row as it must begin.
"""

import dataclasses
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from balancer.config_pools import NOWHERE
from balancer.fieldtypes import (
    ByteCount,
    ByteRate,
    ListenEndpoint,
    ListenPorts,
    OneOrMore,
    PerSecond,
    Seconds,
    ServerAddress,
    ServerEndpoint,
    Shorthand,
    Switch,
    without_unit,
)
from balancer.networks import NetworkText, SourceAddress
from hapair.config.scalars import (
    Authenticate,
    FilePath,
    HostAddress,
    InterfaceName,
    Names,
    NodeAddress,
    PerNode,
    Vip,
    Witness,
)
from hapair.config.types import HapairFile

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"

SCALARS = {
    Seconds: "duration",
    ByteCount: "size",
    ByteRate: "size/s",
    PerSecond: "rate",
    ServerEndpoint: "address:port",
    ServerAddress: "address:port",
    ListenEndpoint: "address:port",
    ListenPorts: "address:port",
    NodeAddress: "IP address",
    InterfaceName: "interface name",
    NetworkText: "network",
    SourceAddress: "IP address",
    HostAddress: "IP address",
    Vip: "IP address/prefix",
    FilePath: "whole path",
    Witness: "`gateway`, IP address, or list of IP address",
    Authenticate: "true, false or `permissive`",
    bool: "true or false",
    int: "whole number",
    str: "text",
}
LENGTHS = {3600.0: "h", 60.0: "m", 1.0: "s", 0.001: "ms"}


def sections() -> dict[str, Any]:
    """Every table of the file, by its type's name, in the order in which a reader meets them."""
    found: dict[str, Any] = {}
    waiting: list[Any] = [HapairFile]
    while waiting:
        kind = waiting.pop(0)
        if kind in SCALARS:
            continue
        if get_origin(kind) is Annotated:
            waiting.insert(0, get_args(kind)[0])
        elif dataclasses.is_dataclass(kind):
            found[kind.__name__] = kind
            inside = get_type_hints(kind, include_extras=True)
            waiting = [inside[field.name] for field in dataclasses.fields(kind)] + waiting
        else:
            waiting = [*get_args(kind), *waiting]
    return found


def written_as(kind: Any) -> str:
    """How a value of this type is written in the file, in words."""
    if kind in SCALARS:
        return SCALARS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        inner = written_as(args[0])
        if any(isinstance(extra, PerNode) for extra in args[1:]):
            return f"{inner.removeprefix('table of ')}, or a table of one for each node"
        if any(isinstance(extra, Names) for extra in args[1:]):
            return f"{inner}, or list of names"
        if any(isinstance(extra, OneOrMore) for extra in args[1:]):
            return f"{written_as(get_args(args[0])[0])}, or a list"
        switch = [extra.key for extra in args[1:] if isinstance(extra, Switch)]
        if switch:
            return f"true, false, {switch[0]} or {inner}" if switch[0] else f"true, false or {inner}"
        short = [extra.key for extra in args[1:] if isinstance(extra, Shorthand)]
        return f"{inner} or {short[0]}" if short else inner
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in args)
    if origin in (Union, types.UnionType):
        return " or ".join(written_as(arg) for arg in args if arg is not type(None))
    if origin is tuple:
        return f"list of {written_as(args[0])}"
    if origin is Mapping:
        return f"table of {written_as(args[1])}"
    assert dataclasses.is_dataclass(kind), kind
    return f"[table](#{kind.__name__.lower()})"


def default_of(field: Any, kind: Any) -> str:
    """The default as it would be written in the file."""
    if field.default is field.default_factory is dataclasses.MISSING:
        return "required"
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    if value == NOWHERE:
        return "none"
    if dataclasses.is_dataclass(value):
        return "as below"
    if isinstance(value, Mapping) and set(value) == {"*"}:
        value = value["*"]
    if value is None or value == () or value == {}:
        return "none"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{as_duration(value)}`"
    return f"`{as_size(value)}`" if kind == ByteCount else f"`{value}`"


def as_duration(seconds: float) -> str:
    unit_s = next((unit_s for unit_s in LENGTHS if seconds >= unit_s), 1.0)
    return f"{seconds / unit_s:g}{LENGTHS[unit_s]}"


def as_size(count: int) -> str:
    return f"{count // 1024}KiB" if count % 1024 == 0 else f"{count}B"


def expected_rows(kind: type) -> list[str]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        f"| `{without_unit(field.name)}` | {written_as(hints[field.name])} | {default_of(field, hints[field.name])} |"
        for field in dataclasses.fields(kind)
    ]


def rows_on_page() -> dict[str, list[str]]:
    """Table rows by the heading above them, which is the name of a type."""
    rows: dict[str, list[str]] = {}
    heading = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"### (\w+)", line):
            heading = match[1]
        elif line.startswith("## "):
            heading = ""
        elif line.startswith("| `") and heading:
            rows.setdefault(heading, []).append(line)
    return rows


def beginnings(rows: list[str]) -> Iterator[str]:
    for row in rows:
        yield "|".join(row.split("|")[:4]) + "|"


def test_every_table_of_the_file_has_a_heading():
    assert list(rows_on_page()) == list(sections())


@pytest.mark.parametrize("name", list(sections()))
def test_every_key_stands_with_its_form_and_default(name):
    assert list(beginnings(rows_on_page()[name])) == expected_rows(sections()[name])


@pytest.mark.parametrize("name", list(sections()))
def test_every_key_is_explained(name):
    for row in rows_on_page()[name]:
        meaning = row.split("|")[4].strip()
        assert len(meaning) > 10, row
