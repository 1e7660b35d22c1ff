from collections.abc import Mapping

import pytest

from balancer.config import Pool, Server
from balancer.fieldtypes import Endpoint
from hapair.changes import register
from hapair.changes.change import Change, Said, written
from hapair.changes.register import Entry, Register


def pools(**weights: int) -> Said:
    address = Endpoint("192.0.2.1", 80)
    servers = {name: Server(address=address, weight=weight) for name, weight in weights.items()}
    return Said(pools={"web": Pool(servers=servers)})


FILE = pools(web1=5, web2=1)


def standings(one: Register) -> dict[tuple[str, str, str], str]:
    return {entry.change.key: entry.standing for entry in one.entries}


def test_the_last_word_holds_whoever_said_it() -> None:
    a, b = Register("pi-a", FILE), Register("pi-b", FILE)
    drain = a.say("admin", "web", "web1", "drain", by="x", now_ms=1000)
    assert b.hear([drain]) == [drain]
    # the clock of b is behind: it is later all the same, as it has heard of the other
    ready = b.say("admin", "web", "web1", "ready", by="y", now_ms=10)
    assert ready.at == 1001
    assert a.hear([ready]) == [ready]
    assert (a.hear([drain]), b.hear([drain])) == ([], [])
    assert list(a.held()) == list(b.held()) == [ready]


def test_two_that_were_said_at_the_same_time_end_the_same_on_both() -> None:
    a, b = Register("pi-a", FILE), Register("pi-b", FILE)
    mine = a.say("weight", "web", "web1", 7, by="", now_ms=50)
    theirs = b.say("weight", "web", "web1", 8, by="", now_ms=50)
    assert a.hear([theirs]) == [theirs]
    assert b.hear([mine]) == []
    assert list(a.held()) == list(b.held()) == [theirs]


def test_a_peer_that_was_away_is_told_all_but_what_is_local() -> None:
    a, b = Register("pi-a", FILE), Register("pi-b", FILE)
    weight = a.say("weight", "web", "web1", 7, by="", now_ms=1)
    a.say("admin", "web", "web2", "maint", by="", now_ms=2, local=True)
    assert a.shared == (weight,)
    assert b.hear(a.shared) == [weight]
    assert b.hear([entry.change for entry in a.entries]) == []


def test_a_change_of_the_file_wins_for_good() -> None:
    a = Register("pi-a", FILE)
    a.say("weight", "web", "web1", 7, by="", now_ms=1)
    a.say("admin", "web", "web1", "drain", by="", now_ms=2)
    assert a.reload(pools(web1=6)) == []
    assert standings(a) == {("weight", "web", "web1"): "spent", ("admin", "web", "web1"): "held"}
    assert [change.what for change in a.shared] == ["admin"]
    assert a.reload(FILE) == []  # the file says again what it said then: what was overruled stays so
    assert [change.what for change in a.held()] == ["admin"]


def test_and_over_a_restart() -> None:
    a = Register("pi-a", FILE)
    a.say("weight", "web", "web1", 7, by="", now_ms=1)
    assert list(Register("pi-a", pools(web1=6), a.entries).held()) == []
    again = Register("pi-a", FILE, a.entries)
    assert [change.value for change in again.held()] == [7]
    assert again.say("weight", "web", "web1", 8, by="", now_ms=0).at == 2


def test_the_peers_file_may_be_the_newer_one() -> None:
    a, b = Register("pi-a", pools(web1=6, web3=1)), Register("pi-b", FILE)
    weight = a.say("weight", "web", "web1", 7, by="", now_ms=1)
    maint = a.say("admin", "web", "web3", "maint", by="", now_ms=2)
    assert b.hear([weight, maint]) == []
    assert set(standings(b).values()) == {"waiting"}
    assert b.reload(pools(web1=6, web3=1)) == [weight, maint]
    assert list(b.held()) == [weight, maint]


def test_a_server_that_is_gone_begins_anew_when_it_is_back() -> None:
    a = Register("pi-a", FILE)
    a.say("admin", "web", "web2", "maint", by="", now_ms=1)
    a.reload(pools(web1=5))
    assert a.reload(FILE) == []
    assert list(a.held()) == []


def test_there_is_no_such_server() -> None:
    with pytest.raises(KeyError):
        Register("pi-a", FILE).say("admin", "web", "web9", "maint", by="", now_ms=1)


def test_it_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "LIMIT", 3)
    a = Register("pi-a", FILE)
    held = a.say("weight", "web", "web1", 7, by="", now_ms=1)
    strange = [
        Change(what="admin", pool="web", server=f"s{i}", value="maint", at=10 + i, node="pi-b", by="") for i in range(9)
    ]
    assert a.hear(strange) == []
    assert [entry.change for entry in a.entries] == [held, *strange[-2:]]


def test_what_was_kept_twice_counts_once() -> None:
    a = Register("pi-a", FILE)
    old = a.say("weight", "web", "web1", 7, by="", now_ms=1)
    new = a.say("weight", "web", "web1", 8, by="", now_ms=2)
    assert list(Register("pi-a", FILE, [Entry(new, "held"), Entry(old, "held")]).held()) == [new]


NEW = written(Server(address=Endpoint("192.0.2.9", 80), disabled=True))


def servers(one: Register) -> list[str]:
    return list(one.pools["web"].servers)


def test_a_server_is_added_to_what_the_file_has_on_both_nodes_and_over_a_restart() -> None:
    a, b = Register("pi-a", FILE), Register("pi-b", FILE)
    added = a.say("server", "web", "web9", NEW, by="", now_ms=1)
    ready = a.say("admin", "web", "web9", "ready", by="", now_ms=2)
    weight = a.say("weight", "web", "web9", 7, by="", now_ms=3)
    assert servers(a) == ["web1", "web2", "web9"]
    assert b.hear([weight, ready, added]) == [added, ready, weight]
    assert servers(b) == ["web1", "web2", "web9"]
    again = Register("pi-a", FILE, a.entries)
    assert servers(again) == ["web1", "web2", "web9"]
    assert list(again.held()) == [added, ready, weight]


def test_and_removed_with_all_that_was_said_of_it() -> None:
    a, b = Register("pi-a", FILE), Register("pi-b", FILE)
    a.say("server", "web", "web9", NEW, by="", now_ms=1)
    a.say("weight", "web", "web9", 7, by="", now_ms=2)
    b.hear(a.shared)
    removed = a.say("server", "web", "web9", None, by="", now_ms=3)
    assert (servers(a), list(a.held())) == (["web1", "web2"], [removed])
    assert b.hear([removed]) == [removed]
    assert (servers(b), list(b.held())) == (["web1", "web2"], [removed])
    # one that was away, and has heard of none of it
    assert Register("pi-b", FILE).hear(a.shared) == [removed]


def test_a_server_that_is_added_again_begins_anew() -> None:
    a, b = Register("pi-a", FILE), Register("pi-b", FILE)
    a.say("server", "web", "web9", NEW, by="", now_ms=1)
    a.say("weight", "web", "web9", 7, by="", now_ms=2)
    b.hear(a.shared)
    a.say("server", "web", "web9", None, by="", now_ms=3)
    again = a.say("server", "web", "web9", NEW, by="", now_ms=4)
    assert b.hear(a.shared) == [again]
    assert list(a.held()) == list(b.held()) == [again]


def test_a_server_of_the_file_is_removed_until_the_file_says_something_else_of_it() -> None:
    a = Register("pi-a", FILE)
    a.say("server", "web", "web2", None, by="", now_ms=1)
    assert servers(a) == ["web1"]
    assert servers(Register("pi-a", FILE, a.entries)) == ["web1"]
    a.reload(pools(web1=9, web2=1))
    assert servers(a) == ["web1"]
    assert [change.words for change in a.superseded(pools(web1=9, web2=2))] == ["web/web2 is removed"]
    a.reload(pools(web1=9, web2=2))
    assert servers(a) == ["web1", "web2"]
    a.reload(FILE)
    assert servers(a) == ["web1", "web2"]


def test_a_server_that_the_file_gets_is_the_files() -> None:
    a = Register("pi-a", FILE)
    a.say("server", "web", "web9", NEW, by="", now_ms=1)
    a.say("weight", "web", "web9", 7, by="", now_ms=2)
    assert {change.words for change in a.superseded(pools(web1=5, web2=1, web9=3))} == {
        "web/web9 is added",
        "web/web9 has weight 7",
    }
    assert a.reload(pools(web1=5, web2=1, web9=3)) == []
    assert a.pools["web"].servers["web9"].weight == 3
    assert list(a.held()) == []


def test_a_pool_that_goes_takes_its_servers_along() -> None:
    a = Register("pi-a", FILE)
    a.say("server", "web", "web9", NEW, by="", now_ms=1)
    assert a.reload(Said(pools={})) == []
    assert a.pools == {}
    assert a.reload(FILE) == []
    assert servers(a) == ["web1", "web2"]


def test_what_does_not_fit_the_file_is_not_said() -> None:
    def obstacle(pools: Mapping[str, Pool]) -> str | None:
        return "no room" if len(pools["web"].servers) > 2 else None

    full = Said(pools=FILE.pools, obstacle=obstacle)
    a = Register("pi-a", full)
    with pytest.raises(ValueError, match="no room"):
        a.say("server", "web", "web9", NEW, by="", now_ms=1)
    with pytest.raises(KeyError):
        a.say("server", "api", "web9", NEW, by="", now_ms=1)
    assert a.entries == ()
    # the peer has room: here it waits for a file that has, too
    added = Register("pi-b", FILE).say("server", "web", "web9", NEW, by="", now_ms=1)
    assert a.hear([added]) == []
    assert servers(a) == ["web1", "web2"]
    assert a.reload(FILE) == [added]


def test_absence_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "LIMIT", 2)
    a = Register("pi-a", FILE)
    held = a.say("weight", "web", "web1", 7, by="", now_ms=1)
    for number in range(5):
        a.say("server", "web", f"s{number}", NEW, by="", now_ms=10)
        a.say("server", "web", f"s{number}", None, by="", now_ms=10)
    assert [entry.change.key for entry in a.entries] == [held.key, ("server", "web", "s4")]


def test_how_a_server_is_configured_is_said_until_the_file_says_otherwise() -> None:
    a, b = Register("pi-a", FILE), Register("pi-b", FILE)
    port = a.say("check_port", "web", "web1", 81, by="", now_ms=1)
    a.say("check_address", "web", "web1", "192.0.2.8:80", by="", now_ms=2)
    assert a.pools["web"].servers["web1"].check_port == 81
    assert [change.what for change in b.hear(a.shared)] == ["check_port", "check_address"]
    assert a.pools == b.pools
    again = a.say("check_port", "web", "web1", 82, by="", now_ms=3)
    assert (port.in_file, again.in_file) == (None, None)
    assert Register("pi-a", FILE, a.entries).pools["web"].servers["web1"].check_port == 82
    servers = {**FILE.pools["web"].servers, "web1": Server(address=Endpoint("192.0.2.1", 80), weight=5, check_port=83)}
    a.reload(Said(pools={"web": Pool(servers=servers)}))
    assert a.pools["web"].servers["web1"].check_port == 83
    assert [change.what for change in a.held()] == ["check_address"]


def test_and_goes_with_a_server_that_is_removed() -> None:
    a = Register("pi-a", FILE)
    a.say("server", "web", "web9", NEW, by="", now_ms=1)
    a.say("check_port", "web", "web9", 81, by="", now_ms=2)
    assert a.pools["web"].servers["web9"].check_port == 81
    a.say("server", "web", "web9", None, by="", now_ms=3)
    a.say("server", "web", "web9", NEW, by="", now_ms=4)
    assert a.pools["web"].servers["web9"].check_port is None


def test_what_a_pool_cannot_have_is_refused() -> None:
    a = Register("pi-a", Said(pools={"web": Pool(servers={"web1": Server(srv="_http._tcp.a.example")})}))
    with pytest.raises(ValueError, match="SRV records"):
        a.say("name", "web", "web1", "b.example", by="", now_ms=1)
    with pytest.raises(KeyError):
        a.say("name", "web", "web9", "b.example", by="", now_ms=1)
    assert a.entries == ()


def test_the_limit_of_the_node() -> None:
    said = Said(pools=FILE.pools, max_connections=1000)
    a = Register("pi-a", said)
    assert a.max_connections == 1000
    a.say("node_limit", "", "", 10, by="", now_ms=1)
    assert a.max_connections == Register("pi-a", said, a.entries).max_connections == 10
    assert Register("pi-a", FILE, a.entries).max_connections is None
    a.say("node_limit", "", "", None, by="", now_ms=2)
    assert a.max_connections == 1000
