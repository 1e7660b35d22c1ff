from typing import Any

import pytest

from balancer.config import Pool, Server
from balancer.fieldtypes import Endpoint
from hapair.changes.change import Change, holds
from hapair.wire import from_plain, to_plain

POOLS = {"web": Pool(servers={"web1": Server(address=Endpoint("192.0.2.1", 80), weight=5, max_connections=9)})}
WEIGHT = {"what": "weight", "pool": "web", "server": "web1", "value": 7, "in_file": 5, "at": 1, "node": "a", "by": ""}


def change(**different: Any) -> Change:
    return Change(**{**WEIGHT, **different})


def test_a_change_of_the_file_wins() -> None:
    assert holds(change(), POOLS)
    assert not holds(change(in_file=4), POOLS)
    assert not holds(change(server="web2"), POOLS)
    assert not holds(change(pool="api"), POOLS)
    assert holds(change(what="max_connections", in_file=9), POOLS)
    assert not holds(change(what="max_connections", in_file=None), POOLS)
    assert holds(change(what="address", value="192.0.2.9:81", in_file="192.0.2.1:80"), POOLS)
    assert not holds(change(what="address", value="192.0.2.9:81", in_file="192.0.2.2:80"), POOLS)


def test_what_stands_in_no_file_holds() -> None:
    assert holds(change(what="admin", value="maint", in_file=None), POOLS)
    assert holds(change(what="checks", value=False, in_file=None), POOLS)


@pytest.mark.parametrize(
    "different",
    [
        {"what": "admin", "value": "gone"},
        {"what": "checks", "value": 1},
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
