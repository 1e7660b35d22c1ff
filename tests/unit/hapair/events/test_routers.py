"""Events of virtual routers and the liveness link, from one report of the announcer to the next."""

from dataclasses import replace
from typing import Any

import pytest

from hapair.events.event import Happening
from hapair.events.routers import link_news, router_news
from vrrp.liveness.config import LinkSnapshot
from vrrp.snapshot import RouterSnapshot

BACKUP = RouterSnapshot(
    name="lan", vrid=51, interface="eth0", version=3, group=None, state="Backup", priority=100,
    configured_priority=100, stays_backup=False, since_monotonic=1.0, adverts_unsigned=0, waiting_for=None,
    vips=("192.0.2.100",), vips_held=(), lease_s=1, lease_renewed_at=None, active_router="192.0.2.11", transitions=1,
    adverts_sent=0, adverts_received=9, adverts_rejected={}, unusual_checksums=0, send_errors=0, vips_restored=0,
    lateness_max_ms=0.0, last_reason="started",
)  # fmt: skip
ACTIVE = replace(
    BACKUP, state="Active", transitions=2, last_reason="Active_Down_Timer fired", vips_held=("192.0.2.100/24",)
)
UP = LinkSnapshot(
    up=True, since_monotonic=5.0, peer="pi-b", peer_address="192.0.2.12", lost=0, last_cause=None, last_detail=None,
    waiting_for=None, rejected={}, round_trip_s=0.001,
)  # fmt: skip
DEAD = replace(UP, up=False, lost=1, last_cause="died", last_detail="its kernel closed the connection")


def news(before: RouterSnapshot | None, after: RouterSnapshot | None) -> list[tuple[str, str, str, str]]:
    def named(one: RouterSnapshot | None) -> dict[str, RouterSnapshot]:
        return {} if one is None else {"lan": one}

    return [(one.kind, one.severity, one.words, one.reason) for one in router_news(named(before), named(after))]


def test_a_backup_router_becomes_active() -> None:
    assert news(BACKUP, ACTIVE) == [
        ("router", "info", "lan is Active, was Backup", "Active_Down_Timer fired"),
        ("vip", "info", "192.0.2.100/24 put on eth0", ""),
    ]
    first = next(iter(router_news({"lan": BACKUP}, {"lan": ACTIVE})))
    assert first.details == {
        "state": "Active", "old_state": "Backup", "priority": 100, "active_router": "192.0.2.11",
    }  # fmt: skip


def test_an_active_router_gives_way() -> None:
    assert news(ACTIVE, replace(BACKUP, transitions=3, last_reason="a higher priority was heard")) == [
        ("router", "warning", "lan is Backup, was Active", "a higher priority was heard"),
        ("vip", "info", "192.0.2.100/24 taken off eth0", ""),
    ]


def test_what_happened_between_two_reports_is_counted() -> None:
    after = replace(ACTIVE, transitions=6, last_reason="again")
    assert news(ACTIVE, after) == [
        ("router", "warning", "lan is Active, was Active (4 transitions in a moment)", "again")
    ]


def test_an_announcer_that_is_gone_and_one_that_begins() -> None:
    assert news(ACTIVE, None) == [
        ("router", "warning", "lan is Initialize, was Active", "the announcer does not run"),
        ("vip", "info", "192.0.2.100/24 taken off eth0", ""),
    ]
    assert news(None, BACKUP) == [("router", "info", "lan is Backup, was Initialize", "started")]
    assert news(None, replace(BACKUP, state="Initialize")) == []


def test_a_router_that_is_gone_while_others_go_on_has_left_the_file() -> None:
    other = replace(BACKUP, name="dmz")
    (first, _) = router_news({"lan": ACTIVE, "dmz": other}, {"dmz": other})
    assert (first.words, first.reason) == ("lan is Initialize, was Active", "it is not in the file any more")


def test_priority_and_who_stays_backup() -> None:
    assert news(BACKUP, replace(BACKUP, priority=1)) == [
        ("priority", "warning", "lan stands with priority 1, had 100", "")
    ]
    assert news(replace(BACKUP, priority=1), BACKUP) == [
        ("priority", "info", "lan stands with priority 100, had 1", "")
    ]
    assert news(BACKUP, replace(BACKUP, stays_backup=True)) == [
        ("priority", "info", "lan does not preempt until its peer fails or `hapair preempt` is said", "")
    ]
    assert news(replace(BACKUP, stays_backup=True), BACKUP) == [("priority", "info", "lan may preempt again", "")]


def test_adverts_that_are_rejected_are_told_once_for_each_reason() -> None:
    some = replace(BACKUP, adverts_rejected={"ttl": 1})
    more = replace(BACKUP, adverts_rejected={"ttl": 500, "unsigned": 1})
    assert news(BACKUP, some) == [("adverts", "warning", "lan rejects adverts", "ttl")]
    assert news(some, more) == [("adverts", "warning", "lan rejects adverts", "unsigned")]
    assert news(more, more) == []


def test_a_vip_that_somebody_took_away() -> None:
    assert news(ACTIVE, replace(ACTIVE, vips_restored=1)) == [
        ("vip", "warning", "a VIP of lan was removed by somebody else and put back", "")
    ]


def seen(happenings: Any) -> list[tuple[str, str, str]]:
    found: list[Happening] = list(happenings)
    return [(one.kind, one.words, one.reason) for one in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, None, []),
        (UP, UP, []),
        (None, replace(UP, up=False), []),
        (None, UP, [("link", "the liveness link to pi-b is up", "")]),
        (UP, DEAD, [("peer", "pi-b died", "its kernel closed the connection")]),
        (
            UP,
            replace(DEAD, last_cause="ended", last_detail="it stops"),
            [("link", "the liveness link to pi-b is down", "it stops")],
        ),
        (
            UP,
            replace(DEAD, up=True),
            [
                ("peer", "pi-b died", "its kernel closed the connection"),
                ("link", "the liveness link to pi-b is up", ""),
            ],
        ),
        (UP, None, [("link", "the liveness link to pi-b is gone", "the announcer does not run")]),
        (DEAD, None, []),
    ],
)
def test_the_link(
    before: LinkSnapshot | None, after: LinkSnapshot | None, expected: list[tuple[str, str, str]]
) -> None:
    assert seen(link_news(before, after)) == expected
