"""A table of clients: bounded, with expiry, told to others as it changes."""

import pytest

from balancer.config_persistence import SourceSettings
from balancer.persistence.table import Entry, SourceTable, key_of


def table(size: int = 3, expiry_s: float = 160.0) -> SourceTable:
    return SourceTable(SourceSettings(size=size, expiry_s=expiry_s))


def test_a_client_has_its_server_until_it_is_quiet_for_too_long() -> None:
    one = table()
    assert one.find("a", 0.0) is None
    one.assign("a", "web1", 0.0, 1000)
    assert one.find("a", 160.0) == "web1"
    assert one.find("a", 320.0) == "web1"
    assert one.find("a", 480.1) is None
    assert len(one) == 0


def test_who_was_quiet_for_longest_makes_room() -> None:
    one = table()
    for number, client in enumerate("abc"):
        one.assign(client, "web1", float(number), 1)
    one.find("a", 5.0)
    one.assign("d", "web1", 6.0, 1)
    assert [entry.client for entry in one.entries()] == ["c", "a", "d"]
    assert one.evicted == 1
    one.reconfigure(SourceSettings(size=1))
    assert [entry.client for entry in one.entries()] == ["d"]


def test_changes_are_told_once_and_uses_seldom() -> None:
    calls = []
    one = SourceTable(SourceSettings(size=3, expiry_s=160.0), lambda: calls.append(1))
    one.assign("a", "web1", 0.0, 1000)
    one.assign("b", "web1", 0.0, 1000)
    one.assign("a", "web2", 1.0, 500)
    assert calls == [1]
    assert one.take_changes(1) == [Entry("a", "web2", 1001, 1.0)]
    assert one.take_changes(9) == [Entry("b", "web1", 1000, 0.0)]
    one.find("b", 9.0)
    one.assign("b", "web1", 9.0, 2000)
    assert one.take_changes(9) == []
    one.find("b", 10.5)
    assert one.take_changes(9) == [Entry("b", "web1", 1000, 10.5)]
    assert calls == [1, 1]


def test_what_others_say() -> None:
    one = table()
    assert one.merge(Entry("a", "web1", 5, 10.0), 10.0)
    assert not one.merge(Entry("a", "web1", 5, 10.0), 10.0)
    assert not one.merge(Entry("a", "web9", 4, 9.0), 10.0)
    assert one.merge(Entry("a", "web2", 5, 9.0), 10.0)
    assert one.entry("a") == Entry("a", "web2", 5, 10.0)
    assert one.merge(Entry("a", "web1", 6, 99.0), 20.0)
    assert one.entry("a") == Entry("a", "web1", 6, 20.0)
    assert not one.merge(Entry("b", "web1", 6, 0.0), 161.0)
    assert one.take_changes(9) == []


def test_sweeping_ends_at_the_first_that_is_young() -> None:
    one = table()
    for number, client in enumerate("abc"):
        one.assign(client, "web1", 100.0 * number, 1)
    one.sweep(270.0)
    assert [entry.client for entry in one.entries()] == ["c"]
    one.sweep(1000.0)
    assert len(one) == 0


def test_forgetting() -> None:
    one = table()
    for client in "abc":
        one.assign(client, "web1", 0.0, 1)
    assert one.forget("nobody") == 0
    assert one.forget("b") == 1
    assert one.forget() == 2
    assert one.take_changes(9) == []
    assert one.entry("a") is None


def test_clients_told_apart_otherwise_are_forgotten() -> None:
    one = table()
    one.assign("192.0.2.1", "web1", 0.0, 1)
    one.reconfigure(SourceSettings(size=9))
    assert len(one) == 1
    one.reconfigure(SourceSettings(size=9, ipv4_prefix=24))
    assert len(one) == 0
    assert one.key_of("192.0.2.77") == "192.0.2.0"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.77", "192.0.2.77"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::"),
        ("", ""),
        ("unix", ""),
    ],
)
def test_who_a_client_is(address: str, key: str) -> None:
    assert key_of(address, 32, 64) == key
