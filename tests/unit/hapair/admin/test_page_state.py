"""What the stats page is told."""

import json
from dataclasses import replace
from math import nan
from typing import Any

import pytest

from hapair.admin.health_history import HealthHistory
from hapair.admin.history import ALL, FIELDS, History
from hapair.admin.page_state import changes, event_view, samples_of, state_of
from hapair.admin.rates import Rates
from hapair.events.event import Happening, event_of
from hapair.snapshot import DriftView, MaintenanceView, NodeSnapshot, PeerView
from tests.unit.hapair.admin.sample import NODE, WEB1


def state(node: NodeSnapshot = NODE, now: float = 1000.0) -> dict[str, Any]:
    health = HealthHistory()
    health.sample(node, now)
    return state_of(node, Rates(), health, now)


def test_who_took_a_node_out_is_told_of_both() -> None:
    maintained = replace(NODE, maintenance=MaintenanceView(by="anna", since=1.0))
    assert state(maintained)["node"]["maintenance"] == "anna"
    peer = PeerView(
        name="pi-b", address="192.0.2.2", up=True, since_s=1.0, waits_for=None, age_s=0.5, snapshot=maintained
    )
    assert state(replace(NODE, peer=peer))["peer"]["told"]["maintenance"] == "anna"
    assert state()["node"]["maintenance"] is None


def test_it_is_plain_and_instants_are_seconds() -> None:
    told = state()
    assert json.loads(json.dumps(told)) == told
    assert told["node"]["name"] == "pi-a"
    assert told["routers"]["lan"]["since"] == 988
    assert told["routers"]["lan"]["held"] == 1
    assert told["servers"]["web/web2"]["since"] == 992
    assert told["servers"]["web/web1"]["since"] == 900
    assert told["servers"]["web/web2"]["standing"] == "returning"
    assert told["servers"]["web/web3"]["status"] == "DRAIN"
    assert told["servers"]["web/web3"]["history"] == [[1000, "drain"]]
    assert told["peer"] | {"since": 940, "round_trip_ms": 0.5, "why": None} == told["peer"]
    assert told["certificates"]["frontend web: web.pem"]["expires"] == 87_400
    assert told["certificates"]["pool db: db.pem"]["trouble"] == "cannot be read"


def test_what_stands_still_does_not_change_with_the_time() -> None:
    def later(node: NodeSnapshot) -> NodeSnapshot:
        (router,), (pool,) = node.routers, node.pools
        servers = tuple(replace(one, since_s=None if one.since_s is None else one.since_s + 60) for one in pool.servers)
        return replace(
            node,
            uptime_s=node.uptime_s + 60,
            routers=(replace(router, since_s=72.5),),
            link=replace(node.link, since_s=120.0),  # type: ignore[type-var]
            pools=(replace(pool, servers=servers),),
            certificates=(replace(node.certificates[0], expires_in_s=86_340.0), node.certificates[1]),
        )

    health = HealthHistory()
    health.sample(NODE, 1000.0)
    before = state_of(NODE, Rates(), health, 1000.0)
    assert changes(before, state_of(later(NODE), Rates(), health, 1060.0)) == {}


def peer(*, up: bool = True) -> NodeSnapshot:
    servers = (replace(WEB1, health="DOWN", up=False), *NODE.pools[0].servers[1:])
    there = replace(NODE, node="pi-b", role="STANDBY", pools=(replace(NODE.pools[0], servers=servers),))
    drift = DriftView(places=("pools.web",), count=1, since_s=3.0)
    view = PeerView(
        name="pi-b", address="192.0.2.12", up=up, since_s=30.0, waits_for=None, age_s=20.0, snapshot=there,
        drift=drift, warnings=("pi-b: look",),
    )  # fmt: skip
    return replace(NODE, peer=view)


def test_what_the_peer_says_of_itself() -> None:
    told = state(peer())
    assert told["warnings"] == ["look", "pi-b: look"]
    assert (told["peer"]["current"], told["peer"]["heard"], told["peer"]["drift"]) == (True, None, 1)
    assert told["peer"]["told"] == {
        "role": "STANDBY", "ready": True, "maintenance": None, "started": 880, "version": "0.1.0",
        "servers": 3, "up": 1,
        "routers": {"lan": {"state": "Active", "since": 968, "priority": 180, "reason": ""}},
    }  # fmt: skip


def test_servers_that_are_otherwise_at_the_peer() -> None:
    servers = state(peer())["servers"]
    assert {name: one["at_peer"] for name, one in servers.items()} == {
        "web/web1": "DOWN",
        "web/web2": None,
        "web/web3": None,
    }
    assert state(peer(up=False))["servers"]["web/web1"]["at_peer"] is None


def test_a_peer_that_is_not_heard_is_as_it_was() -> None:
    told = state(peer(up=False))["peer"]
    assert (told["current"], told["heard"], told["told"]["role"]) == (False, 980, "STANDBY")


def test_a_node_by_itself() -> None:
    told = state(replace(NODE, link=None, fence=None, kernel=None, routers=()))
    assert (told["peer"], told["node"]["fence"], told["routers"]) == (None, None, {})


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}),
        ({"s": {"x": {"n": 1}}}, {"s": {"x": {"n": 2}}}, {"s": {"x": {"n": 2}}}),
        ({"s": {"x": {"n": 1}}}, {"s": {"y": {"n": 1}}}, {"s": {"x": None, "y": {"n": 1}}}),
        ({"peer": {"n": 1}}, {"peer": None}, {"peer": None}),
        ({"peer": None}, {"peer": {"n": 1}}, {"peer": {"n": 1}}),
        ({"w": ["a"]}, {"w": []}, {"w": []}),
        ({"s": {"n": 1}}, {"s": {"n": None}}, {"s": {"n": None}}),
    ],
)
def test_what_has_changed(before: dict[str, Any], after: dict[str, Any], found: dict[str, Any]) -> None:
    assert changes(before, after) == found


def test_samples_have_few_digits_and_no_number_where_there_is_none() -> None:
    history = History()
    history.series[ALL].add((1234.5678, 3.0, 2.0, 0.123456, 0.0, 0.0, 0.0, nan, nan))
    assert samples_of(history) == {"": [1235, 3, 2, 0.1235, 0, 0, 0, None, None]}
    assert len(samples_of(history)[""]) == len(FIELDS)


def test_an_event() -> None:
    happening = Happening(
        kind="server", subject="web/web1", words="web/web1 is DOWN", reason="refused", severity="error"
    )
    assert event_view(event_of(happening, id=3, at=1.23456, node="pi-a")) == {
        "id": 3, "node": "pi-a", "at": 1.235, "kind": "server", "severity": "error", "subject": "web/web1",
        "words": "web/web1 is DOWN", "reason": "refused", "by": "",
    }  # fmt: skip
