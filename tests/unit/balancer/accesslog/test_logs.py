"""The logs of a worker: which frontend has which, and what is open."""

import json
import os
from pathlib import Path

from balancer.accesslog.logs import AccessLogs, log_paths
from balancer.accesslog.writer import open_file
from balancer.config import AccessLog
from balancer.reactor import Reactor
from balancer.slots import Slots
from balancer.testing import closed_endpoint, config_for


def test_a_frontend_has_the_log_that_it_says(reactor: Reactor, tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    config = config_for({"one": closed_endpoint()}, mode="http", access_log=AccessLog(format="json", to=path))
    slots = Slots.create(config, workers=2)
    slots.frontend(0, "main").opened()
    slots.frontend(1, "main").opened()
    logs = AccessLogs(reactor, slots, config, {path: open_file(path)})
    journal = logs.journal("main", config.frontends["main"])
    assert journal is not None
    journal.add(journal.begin("192.0.2.7", 1, reactor.now))
    os.rename(path, path + ".1")
    logs.replace(path, open_file(path))
    journal.add(journal.begin("192.0.2.8", 1, reactor.now))
    logs.close()
    assert json.loads(Path(path + ".1").read_text())["client"] == "192.0.2.7"
    assert json.loads(Path(path).read_text())["client"] == "192.0.2.8"
    assert logs.dropped == 0
    slots.close()


def test_connections_are_told_of_all_workers(reactor: Reactor) -> None:
    log = AccessLog(format="httplog", to="journald")
    config = config_for({"one": closed_endpoint(), "two": closed_endpoint()}, mode="http", access_log=log)
    slots = Slots.create(config, workers=2)
    for worker in (0, 1):
        slots.frontend(worker, "main").opened()
        slots.server(worker, "pool", "one").opened()
    slots.server(0, "pool", "two").opened()
    logs = AccessLogs(reactor, slots, config, {})
    assert logs._gauges("main", "pool", "one") == (2, 2, 3, 2)
    assert logs._gauges("main", "", "") == (2, 2, 0, 0)
    slots.close()


def test_off_is_no_log(reactor: Reactor) -> None:
    config = config_for({"one": closed_endpoint()}, mode="http")
    slots = Slots.create(config, workers=1)
    logs = AccessLogs(reactor, slots, config, {})
    assert logs.journal("main", config.frontends["main"]) is None
    off = config_for({"one": closed_endpoint()}, mode="http", access_log=AccessLog())
    assert logs.journal("main", off.frontends["main"]) is None
    slots.close()


def test_files_that_are_logged_to() -> None:
    logs = (
        AccessLog(format="json", to="/var/log/b"),
        AccessLog(format="off", to="/var/log/c"),
        AccessLog(format="json", to="syslog"),
        AccessLog(format="json", to="/var/log/a"),
        None,
    )
    servers = {"one": closed_endpoint()}
    frontends = [config_for(servers, access_log=log).frontends["main"] for log in logs]
    assert log_paths(frontends) == ("/var/log/a", "/var/log/b")
