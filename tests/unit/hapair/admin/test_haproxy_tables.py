"""Tables by HAProxy's runtime commands; the answers are those of HAProxy 2.6.12, but for pointers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from balancer.persistence.table import Entry
from hapair.admin.haproxy_tables import clear_table, show_peers, show_table
from hapair.persistence.views import PersistencePeerView, PersistenceView
from hapair.snapshot import PeerView
from tests.unit.hapair.admin.sample import NODE

VIEW = PersistenceView(pool="web", cookie=None, cookies={}, size=20480, used=1, evicted=0)
STICKY = replace(
    NODE,
    persistence=(VIEW, replace(VIEW, pool="api", cookie="H", size=None)),
    persistence_peer=PersistencePeerView(up=True, waiting=2, lag_s=0.015, resyncs=1),
)
HEAD = "# table: web, type: ip, size:20480, used:1\n"
LINE = "0x1: key=127.0.0.1 use=0 exp=1799768 server_id=1 server_key=web1\n"
NEEDS = 'Required arguments: <table> "data.<store_data_type>" <operator> <value> or <table> key <key>\n'


class Tables:
    def __init__(self) -> None:
        self.forgotten: list[tuple[str, str | None]] = []

    def entries(self, pool: str) -> Iterator[tuple[Entry, float]]:
        yield Entry("127.0.0.1", "web1", 5, 0.0), 1799.768

    def forget(self, pool: str, client: str | None) -> None:
        if pool != "web":
            raise KeyError(pool)
        self.forgotten.append((pool, client))


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("show table", HEAD),
        ("show table web", HEAD + LINE),
        ("show table web key 127.0.0.1", HEAD + LINE),
        ("show table web key 1.2.3.4", ""),
        ("show table nope", "No such table\n"),
        ("show table api", "No such table\n"),
    ],
)
def test_tables_are_shown(command: str, answer: str) -> None:
    assert show_table(STICKY, Tables(), command.split()) == answer


def test_other_filters_are_refused() -> None:
    assert show_table(STICKY, Tables(), ["show", "table", "web", "data.server_id"]).startswith("Optional argument")


@pytest.mark.parametrize(
    ("command", "answer", "forgotten"),
    [
        ("clear table web", "", [("web", None)]),
        ("clear table web key 127.0.0.1", "", [("web", "127.0.0.1")]),
        ("clear table web foo", NEEDS, []),
        ("clear table web key", NEEDS, []),
        ("clear table", NEEDS, []),
        ("clear table nope", "No such table\n", []),
    ],
)
def test_tables_are_cleared(command: str, answer: str, forgotten: list[tuple[str, str | None]]) -> None:
    tables = Tables()
    assert clear_table(tables, command.split()) == answer
    assert tables.forgotten == forgotten
    assert clear_table(None, command.split()) in (NEEDS, "No such table\n")


def test_the_peer_is_shown() -> None:
    assert show_peers(STICKY, ["show", "peers"]) == ""
    peer = PeerView(name="pi-b", address="192.0.2.12", up=True, since_s=1.0, waits_for=None)
    shown = show_peers(replace(STICKY, peer=peer), ["show", "peers"])
    assert "id=pi-b(remote,active) addr=192.0.2.12 last_status=ESTA\n" in shown
    assert "waiting=2 lag_ms=15 resyncs=1\n" in shown
    assert "          id=web used=1\n" in shown
    assert show_peers(STICKY, ["show", "peers", "nope"]) == "No such peers\n"
