"""No token but ours is accepted; tables keep their bounds; copies agree, whatever is lost, late or said twice."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.config_persistence import CookieSettings, SourceSettings
from balancer.persistence.table import Entry, SourceTable
from balancer.persistence.tokens import Tokens, Verdict

KEY = bytes(range(32))
NOW = 1_800_000_000
PLAIN = Tokens(KEY, "web", CookieSettings(name="H"), ("web1", "web2"))
DATED = Tokens(KEY, "web", CookieSettings(name="H", max_idle_s=100.0), ("web1", "web2"))
CLIENTS, SERVERS = st.sampled_from("abcdef"), st.sampled_from(["web1", "web2", "web3"])


@given(st.binary(max_size=60))
def test_any_bytes_are_a_verdict_and_none_is_accepted(token: bytes) -> None:
    for book in (PLAIN, DATED):
        assert book.read(token, NOW).verdict is Verdict.FORGED


@given(st.sampled_from([PLAIN, DATED]), st.sampled_from(["web1", "web2"]), st.data())
def test_a_token_with_one_bit_changed_is_worth_nothing(book: Tokens, server: str, data: st.DataObject) -> None:
    token = book.make(server, NOW)
    assert book.read(token, NOW).server == server
    where, bit = data.draw(st.integers(0, len(token) - 1)), data.draw(st.integers(0, 7))
    changed = token[:where] + bytes((token[where] ^ 1 << bit,)) + token[where + 1 :]
    assert book.read(changed, NOW).verdict is Verdict.FORGED


@given(st.integers(1, 2**46), st.integers(0, 2**46))
def test_dates_come_back_as_they_were(first_at: int, later: int) -> None:
    now = first_at + later
    assert DATED.read(DATED.make("web1", now, first_at), now).first_at == first_at
    assert DATED.read(DATED.make("web1", now), now).first_at == now


STEPS = st.lists(st.tuples(st.sampled_from(["find", "assign", "merge", "sweep"]), CLIENTS, SERVERS, st.integers(0, 40)))


@given(STEPS, st.integers(1, 4))
def test_a_table_is_never_too_full_nor_serves_what_is_too_old(
    steps: list[tuple[str, str, str, int]], size: int
) -> None:
    table, now, used = SourceTable(SourceSettings(size=size, expiry_s=50.0)), 0.0, dict[str, float]()
    for what, client, server, spent in steps:
        now += spent
        match what:
            case "find":
                found = table.find(client, now)
                assert found is None or now - used[client] <= 50.0
                used[client] = now
            case "assign":
                table.assign(client, server, now, int(now))
                used[client] = now
            case "merge":
                table.merge(Entry(client, server, spent, now - spent), now)
                used[client] = max(used.get(client, 0.0), now - spent)
            case "sweep":
                table.sweep(now)
        assert len(table) <= size
        assert len(list(table.entries())) == len(table)


def _lossy(said: list[Entry], data: st.DataObject) -> Iterator[Entry]:
    """Some of it, some twice, in any order."""
    if said:
        yield from data.draw(st.lists(st.sampled_from(said), max_size=2 * len(said)))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), CLIENTS, SERVERS), max_size=30), st.data())
def test_copies_agree_once_each_has_told_all_that_it_knows(
    steps: list[tuple[int, str, str]], data: st.DataObject
) -> None:
    copies = [SourceTable(SourceSettings(size=100, expiry_s=1000.0)) for _ in range(3)]
    dates = [1000, 900, 1100]  # clocks differ
    now = 0.0
    for writer, client, server in steps:
        now += 1.0
        copies[writer].find(client, now)
        copies[writer].assign(client, server, now, dates[writer] + int(now))
        said = copies[writer].take_changes(99)
        for reader in copies:
            for entry in _lossy(said, data):
                reader.merge(entry, now)
    for teller in copies:  # a resync, in any order
        for reader in copies:
            for entry in data.draw(st.permutations(list(teller.entries()))):
                reader.merge(entry, now)
    for teller in copies:
        for reader in copies:
            for entry in teller.entries():
                reader.merge(entry, now)
    known = [{entry.client: entry for entry in copy.entries()} for copy in copies]
    assert known[0] == known[1] == known[2]
