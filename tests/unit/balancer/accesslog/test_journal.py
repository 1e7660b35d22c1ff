"""Records become lines in batches."""

import re
from collections.abc import Sequence

from balancer.accesslog.journal import Journal
from balancer.accesslog.writer import Writer
from balancer.config import AccessLog, Frontend
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.testing import FakeClock, settle


class Batches:
    """What a writer is given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def write(self, lines: Sequence[str]) -> int:
        self.batches.append(list(lines))
        return 0

    def close(self) -> None: ...


def journal_of(reactor: Reactor, target: Batches, *, mode: str = "http", **log: object) -> tuple[Journal, Writer]:
    writer = Writer(target, 1000)
    frontend = Frontend(
        listen=(Endpoint("127.0.0.1", 1),), pool="pool", mode=mode, access_log=AccessLog(**{"format": "json", **log})
    )  # type: ignore[arg-type]
    journal = Journal("main", frontend, reactor=reactor, writer=writer, gauges=lambda pool, server: (1, 2, 3, 4))
    return journal, writer


def test_lines_wait_for_others_but_not_long(reactor: Reactor, clock: FakeClock) -> None:
    target = Batches()
    journal, writer = journal_of(reactor, target)
    for port in range(3):
        journal.add(journal.begin("192.0.2.7", port, reactor.now))
    assert journal.deadline == clock.now + 0.01
    clock.now += 0.1
    settle(reactor)
    writer.close()
    assert [len(batch) for batch in target.batches] == [3]


def test_a_full_batch_waits_for_nothing(reactor: Reactor) -> None:
    target = Batches()
    journal, writer = journal_of(reactor, target)
    for port in range(130):
        journal.add(journal.begin("192.0.2.7", port, reactor.now))
    writer.close()
    assert [len(batch) for batch in target.batches] == [64, 64]


def test_dates(reactor: Reactor) -> None:
    target = Batches()
    for form in ("json", "httplog"):
        journal, writer = journal_of(reactor, target, format=form)
        journal.add(journal.begin("192.0.2.7", 1, reactor.now))
        journal.flush()
        writer.close()
    (of_json,), (of_httplog,) = target.batches
    assert re.match(r'\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d",', of_json)
    assert re.match(r"192\.0\.2\.7:1 \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\] main main/<NOSRV> ", of_httplog)
    assert " 1/2/3/4/0 0/0 " in of_httplog


def test_connections_are_logged_as_such(reactor: Reactor) -> None:
    target = Batches()
    journal, writer = journal_of(reactor, target, mode="tcp", format="httplog")
    journal.add(journal.begin("192.0.2.7", 1, reactor.now))
    journal.flush()
    writer.close()
    assert target.batches[0][0].endswith(" main main/<NOSRV> -1/-1/0 0 -- 1/2/3/4/0 0/0")


def test_captures(reactor: Reactor) -> None:
    journal, writer = journal_of(reactor, Batches(), request_headers=("user-agent", "X"), response_headers=("Server",))
    assert journal.capture_request(b"\nUser-Agent: \ta b \r\nXX: 1\r\n") == (("user-agent", b"a b"), ("X", b""))
    assert journal.capture_response(b"\nserver:y\r\n") == (("Server", b"y"),)
    writer.close()
