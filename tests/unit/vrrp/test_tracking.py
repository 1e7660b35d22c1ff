"""What follows from what is watched: a gate closes, a weight moves the priority."""

import pytest

from vrrp.tracking import Standing, Tracked, standing


@pytest.mark.parametrize(
    ("tracked", "expected"),
    [
        pytest.param([], Standing(100, None), id="nothing is watched"),
        pytest.param([Tracked("uplink", True, "")], Standing(100, None), id="an open gate"),
        pytest.param([Tracked("uplink", False, "eth1 is down")], Standing(100, "uplink: eth1 is down"), id="closed"),
        pytest.param(
            [Tracked("uplink", False, "down"), Tracked("disk", True, ""), Tracked("dns", False, "exit code 1")],
            Standing(100, "uplink: down; dns: exit code 1"),
            id="several, all reasons are told",
        ),
        pytest.param([Tracked("disk", False, "", weight=-30)], Standing(70, None), id="negative: while it fails"),
        pytest.param([Tracked("disk", True, "", weight=-30)], Standing(100, None), id="negative: not while it is well"),
        pytest.param([Tracked("disk", True, "", weight=30)], Standing(130, None), id="positive: while it is well"),
        pytest.param([Tracked("disk", False, "", weight=30)], Standing(100, None), id="positive: not while it fails"),
        pytest.param([Tracked("disk", False, "", weight=0)], Standing(100, None), id="zero"),
        pytest.param(
            [Tracked("one", True, "", weight=30), Tracked("two", False, "", weight=-50)], Standing(80, None), id="sum"
        ),
        pytest.param([Tracked("one", True, "", weight=253)], Standing(254, None), id="never above 254"),
        pytest.param([Tracked("one", False, "", weight=-253)], Standing(1, None), id="never below 1"),
        pytest.param(
            [Tracked("one", False, "", weight=-10), Tracked("uplink", False, "down")],
            Standing(90, "uplink: down"),
            id="both kinds",
        ),
    ],
)
def test_standing(tracked, expected):
    assert standing(100, tracked) == expected


def test_rule_4_an_owner_keeps_its_priority():
    assert standing(255, [Tracked("disk", False, "", weight=-30)]) == Standing(255, None)
    assert standing(255, [Tracked("uplink", False, "down")]) == Standing(255, "uplink: down")
