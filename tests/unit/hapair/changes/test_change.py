from dataclasses import replace
from typing import Any

import pytest

from balancer.config import Frontend, Pool, Server
from balancer.fieldtypes import Endpoint
from hapair.changes.change import Change, Said, holds, read, written
from hapair.wire import from_plain, to_plain

WEB1 = Server(address=Endpoint("192.0.2.1", 80), weight=5, max_connections=9)
FILE = Said(
    pools={"web": Pool(servers={"web1": WEB1})},
    frontends={"web": Frontend(listen=(Endpoint("192.0.2.100", 80),), pool="web", max_connections=100)},
    max_connections=1000,
)
WEIGHT = {"what": "weight", "pool": "web", "server": "web1", "value": 7, "in_file": 5, "at": 1, "node": "a", "by": ""}


def change(**different: Any) -> Change:
    return Change(**{**WEIGHT, **different})


def test_a_change_of_the_file_wins() -> None:
    assert holds(change(), FILE)
    assert not holds(change(in_file=4), FILE)
    assert not holds(change(server="web2"), FILE)
    assert not holds(change(pool="api"), FILE)
    assert holds(change(what="max_connections", in_file=9), FILE)
    assert not holds(change(what="max_connections", in_file=None), FILE)
    assert holds(change(what="address", value="192.0.2.9:81", in_file="192.0.2.1:80"), FILE)
    assert not holds(change(what="address", value="192.0.2.9:81", in_file="192.0.2.2:80"), FILE)


def test_what_stands_in_no_file_holds() -> None:
    assert holds(change(what="admin", value="maint", in_file=None), FILE)
    assert holds(change(what="checks", value=False, in_file=None), FILE)


@pytest.mark.parametrize(
    "different",
    [
        {"what": "admin", "value": "gone"},
        {"what": "checks", "value": 1},
        {"what": "disabled", "value": None},
        {"what": "frontend_limit", "value": -1},
        {"what": "server", "value": "{}"},
        {"what": "server", "value": 7},
        {"what": "check_port", "value": 0},
        {"what": "check_address", "value": "app.internal:80"},
        {"what": "name", "value": "192.0.2.9"},
        {"what": "agent_send", "value": None},
        {"what": "address", "value": "nowhere"},
        {"what": "address", "value": "app.internal:80"},
        {"value": 257},
        {"value": -1},
        {"value": True},
        {"value": "7"},
        {"at": -1},
        {"at": 1 << 60},
        {"server": "x" * 300},
    ],
)
def test_what_is_none_is_refused(different: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is no value|is no moment|too long"):
        change(**different)


@pytest.mark.parametrize("value", [7, None])
def test_over_the_wire(value: int | None) -> None:
    one = change(value=value)
    assert from_plain(to_plain(one), Change) == one


def test_the_later_one_wins_and_then_the_later_name() -> None:
    assert change(at=2).stamp > change(at=1, node="b").stamp
    assert change(node="b").stamp > change(node="a").stamp


def test_what_is_said_of_a_frontend_and_of_the_node_holds_as_long_as_the_file_says_the_same() -> None:
    limit = {"what": "frontend_limit", "server": "", "value": 7}
    assert holds(change(**limit, in_file=100), FILE)
    assert not holds(change(**limit, in_file=99), FILE)
    assert not holds(change(**limit, pool="api", in_file=100), FILE)
    disabled = {"what": "disabled", "server": "", "value": True, "in_file": None}
    assert holds(change(**disabled), FILE)
    assert not holds(change(**disabled, pool="api"), FILE)
    assert holds(change(what="node_limit", pool="", server="", value=7, in_file=1000), FILE)
    assert not holds(change(what="node_limit", pool="", server="", value=7, in_file=None), FILE)


def test_and_what_is_said_of_how_a_server_is_configured() -> None:
    assert holds(change(what="check_port", value=81, in_file=None), FILE)
    assert holds(change(what="name", value="app.internal", in_file="192.0.2.1"), FILE)
    assert not holds(change(what="check_address", value="192.0.2.9:80", in_file="192.0.2.8:80"), FILE)
    assert holds(change(what="server", value=None, in_file=written(WEB1)), FILE)
    assert not holds(change(what="server", value=None, in_file=None), FILE)
    assert holds(change(what="server", server="web9", value=written(WEB1), in_file=None), FILE)
    assert not holds(change(what="server", pool="api", value=written(WEB1), in_file=None), FILE)
    disabled = Said(pools={"web": Pool(servers={"web1": replace(WEB1, disabled=True)})})
    assert not holds(change(what="admin", value="ready", in_file=None), disabled)
    assert holds(change(what="admin", value="ready", in_file="maint"), disabled)


def test_a_server_as_text() -> None:
    text = '{"address":{"host":"192.0.2.1","port":80,"ports":1},"weight":5,"max_connections":9}'
    assert written(WEB1) == text
    assert read(text) == WEB1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"address":{"host":"192.0.2.1","port":80},"color":"red"}'])
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ValueError, match=r"this is no server|Expecting|address is missing"):
        read(text)


@pytest.mark.parametrize(
    ("different", "words"),
    [
        ({}, "web/web1 has weight 7"),
        ({"value": None}, "web/web1 has weight as in the file"),
        ({"what": "checks", "value": False}, "web/web1 has checks off"),
        ({"what": "server", "value": None}, "web/web1 is removed"),
        ({"what": "disabled", "server": "", "value": True}, "web is disabled"),
        ({"what": "node_limit", "pool": "", "server": "", "value": 9}, "this node has 9 connections at most"),
    ],
)
def test_in_words(different: dict[str, Any], words: str) -> None:
    assert change(**different).words == words
