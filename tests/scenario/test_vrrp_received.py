"""What arrives: malformed, foreign, or from a peer that was told otherwise."""

import logging
from ipaddress import IPv4Interface

import pytest
import trio

REJECTED = [
    pytest.param("31", "length", id="rule-10"),
    pytest.param("3133ff0100", "length", id="rule-10-header"),
    pytest.param("2133ff010064000000000000", "version", id="rule-8"),
    pytest.param("3233ff010064000000000000", "type", id="rule-9"),
    pytest.param("3133ff010064beefc000020a", "checksum", id="rule-11"),
    pytest.param("3107ff010064beefc000020a", "vrid", id="rule-12"),
    pytest.param("3133ff000064beef", "count", id="rule-13"),
    pytest.param("3133ff010000beefc000020a", "interval", id="rule-14"),
]


@pytest.mark.parametrize(("payload", "reason"), REJECTED)
async def test_a_malformed_advert_is_counted_and_changes_nothing(autojump_clock, pair, stranger, payload, reason):
    a, b = pair
    stranger(payload)
    await trio.sleep(1)
    assert a.router.adverts_rejected == {reason: 1}
    assert b.router.adverts_rejected == {reason: 1}
    assert [machine.state for machine in pair] == ["Active", "Backup"]
    assert len(a.transitions()) == 2


async def test_a_flood_of_malformed_adverts_is_logged_now_and_then(autojump_clock, pair, stranger, caplog):
    a, _ = pair
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            stranger("3133ff010064beefc000020a")
            await trio.sleep(0.001)
    await trio.sleep(0.1)
    assert a.router.adverts_rejected == {"checksum": 1000}
    assert len([record for record in caplog.records if record.message == "advertisement rejected"]) == 2


async def test_our_own_address_as_sender_is_not_listened_to(autojump_clock, pair, stranger):
    a, _ = pair
    stranger("3133ff010064beefc000020a", source="192.0.2.1")
    await trio.sleep(1)
    assert a.router.adverts_rejected == {"own_address": 1}


async def test_rule_5_the_other_checksum_is_accepted_and_counted(autojump_clock, start, machine, config):
    a = machine("a", "192.0.2.1/24", config(priority=200, checksum="rfc9568"))
    b = machine("b", "192.0.2.2/24", config(priority=100))
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    assert b.router.unusual_checksums == b.router.adverts_received > 10
    assert a.router.unusual_checksums == 0


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        pytest.param(
            {"advertisement_interval_cs": 20}, "advertisement interval 200 ms, ours 100 ms", id="rule-18-interval"
        ),
        pytest.param(
            {"addresses": (IPv4Interface("192.0.2.99/24"),)},
            "addresses 192.0.2.99; ours 192.0.2.10",
            id="rule-19-addresses",
        ),
    ],
)
async def test_a_peer_that_is_configured_otherwise_is_not_dropped(
    autojump_clock, start, caplog, changes, detail, machine, config
):
    a = machine("a", "192.0.2.1/24", config(priority=200, **changes))
    b = machine("b", "192.0.2.2/24", config(priority=100))
    await start(a, b)
    await trio.sleep(3)
    assert (a.state, b.state) == ("Active", "Backup")
    assert detail in [getattr(record, "detail", None) for record in caplog.records]
