"""Dataclasses to JSON and back, by their annotations; anything else is refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Annotated, Any, Literal

import pytest

from hapair.wire import WireError, decode, encode, from_plain, to_plain


@dataclass(frozen=True, slots=True)
class Leaf:
    name: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Everything:
    yes: bool
    count: int
    span_s: float
    text: str
    maybe: float | None
    mode: Literal["tcp", "http"]
    workers: int | Literal["auto"]
    leaf: Leaf
    leaves: tuple[Leaf, ...]
    by_name: Mapping[str, Leaf]
    counts: dict[str, int]
    names: frozenset[str]
    listed: list[int]
    interface: IPv4Interface
    addresses: tuple[IPv4Address | IPv6Address, ...]
    six: IPv6Interface
    noted: Annotated[int, "a note"]


@dataclass(frozen=True, slots=True)
class Nest:
    inner: "Nest | None" = None


@dataclass(frozen=True, slots=True)
class Derived:
    a: int
    double: int = field(init=False, default=0)


KNOWN = {"Leaf": Leaf, "Everything": Everything, "Nest": Nest}

EVERYTHING = Everything(
    yes=True,
    count=-7,
    span_s=0.25,
    text='a "quoted" \u00fc \x00',
    maybe=None,
    mode="http",
    workers="auto",
    leaf=Leaf("a"),
    leaves=(Leaf("b", 2), Leaf("c", 0)),
    by_name={"x": Leaf("d", 3)},
    counts={"bad_version": 4},
    names=frozenset({"lan", "dmz"}),
    listed=[3, 1, 2],
    interface=IPv4Interface("192.0.2.1/24"),
    addresses=(IPv4Address("192.0.2.9"), IPv6Address("2001:db8::9")),
    six=IPv6Interface("2001:db8::1/64"),
    noted=5,
)


def test_the_bytes_on_the_wire() -> None:
    assert encode(Leaf("web1", 2)) == b'{"type":"Leaf","body":{"name":"web1","weight":2}}'


def test_every_kind_of_field_comes_back_as_it_was() -> None:
    assert decode(encode(EVERYTHING), KNOWN) == EVERYTHING
    assert type(decode(encode(EVERYTHING), KNOWN).names) is frozenset


def test_plain_values_are_what_json_knows() -> None:
    assert to_plain(EVERYTHING) == {
        "yes": True,
        "count": -7,
        "span_s": 0.25,
        "text": 'a "quoted" \u00fc \x00',
        "maybe": None,
        "mode": "http",
        "workers": "auto",
        "leaf": {"name": "a", "weight": 1},
        "leaves": [{"name": "b", "weight": 2}, {"name": "c", "weight": 0}],
        "by_name": {"x": {"name": "d", "weight": 3}},
        "counts": {"bad_version": 4},
        "names": ["dmz", "lan"],
        "listed": [3, 1, 2],
        "interface": "192.0.2.1/24",
        "addresses": ["192.0.2.9", "2001:db8::9"],
        "six": "2001:db8::1/64",
        "noted": 5,
    }


def test_a_type_may_hold_itself() -> None:
    assert decode(encode(Nest(Nest(Nest()))), KNOWN) == Nest(Nest(Nest()))


def test_a_field_with_a_default_may_be_left_out() -> None:
    assert decode(b'{"type":"Leaf","body":{"name":"x"}}', KNOWN) == Leaf("x", 1)


def test_a_whole_number_will_do_for_a_span() -> None:
    value = from_plain(2, float)
    assert value == 2.0
    assert type(value) is float


def test_what_is_computed_is_not_taken_from_the_wire() -> None:
    with pytest.raises(TypeError):
        from_plain({"a": 1, "double": 2}, Derived)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("yes", 1),
        ("yes", "true"),
        ("count", True),
        ("count", 1.0),
        ("count", "1"),
        ("count", None),
        ("span_s", "0.25"),
        ("span_s", True),
        ("span_s", int("9" * 400)),
        ("text", 5),
        ("maybe", "never"),
        ("mode", "udp"),
        ("mode", ["tcp"]),
        ("workers", "all"),
        ("workers", 1.5),
        ("leaf", {"name": "a", "colour": "red"}),
        ("leaf", {"weight": 1}),
        ("leaf", ["a", 1]),
        ("leaf", None),
        ("leaves", {"name": "a"}),
        ("leaves", "ab"),
        ("leaves", [{"name": 1}]),
        ("by_name", [1]),
        ("by_name", 5),
        ("by_name", {"x": 5}),
        ("counts", {"x": "1"}),
        ("counts", None),
        ("names", "lan"),
        ("names", [1]),
        ("names", [["lan"]]),
        ("interface", "192.0.2.256/24"),
        ("interface", 5),
        ("addresses", ["192.0.2.9/32"]),
        ("noted", "5"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(change: str, value: Any) -> None:
    body = to_plain(EVERYTHING) | {change: value}
    data = encode(EVERYTHING).partition(b'"body":')[0] + b'"body":' + json.dumps(body).encode() + b"}"
    with pytest.raises(WireError):
        decode(data, KNOWN)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"null",
        b"[]",
        b"5",
        b'"Leaf"',
        b"{}",
        b'{"type":"Leaf"}',
        b'{"body":{"name":"x"}}',
        b'{"type":"Unknown","body":{}}',
        b'{"type":["Leaf"],"body":{}}',
        b'{"type":{},"body":{}}',
        b'{"type":"Leaf","body":[]}',
        b'{"type":"Leaf","body":{"name":"x"}} trailing',
        b"[" * 100_000,
        b'{"type":"Nest","body":' + b'{"inner":' * 3000 + b"null" + b"}" * 3001,
        b'{"type":"Leaf","body":{"name":"x","weight":' + b"9" * 5000 + b"}}",
    ],
    ids=range(18),
)
def test_garbage_is_refused_with_one_error(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data, KNOWN)


def test_the_error_says_what_was_wrong() -> None:
    with pytest.raises(WireError, match=r"^TypeError: 'x' is not <class 'int'>$"):
        decode(b'{"type":"Leaf","body":{"name":"a","weight":"x"}}', KNOWN)
