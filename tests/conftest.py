"""What every test shares: what a test needs beside Python, and the list of what was left out for want of it.

A test says what it needs by a marker (`netns`, `keepalived`) or through the fixture `program`. What the machine lacks
is a skip that says how to get it; with CI=true it is a failure, because there everything has been installed.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NoReturn

import hypothesis
import pytest

from hapair.lab.entry import find_obstacle, inside, lab_environment

IN_CI = os.environ.get("CI") == "true"

if not IN_CI:  # hypothesis has a profile of its own for CI: the same examples each time, no deadline
    hypothesis.settings.register_profile("by hand", deadline=None)
    hypothesis.settings.load_profile("by hand")

PACKAGES = {
    "chromedriver": "chromium-driver",
    "node": "nodejs",
    "nginx": "nginx-light",
    "nft": "nftables",
    "ping": "iputils-ping",
    "ip": "iproute2",
    "ps": "procps",
    "vtysh": "frr",
}
"""Debian's package of a program, where it has another name."""


def leave_out(reason: str) -> NoReturn:
    """Skip the running test; in CI fail it."""
    if IN_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def find_program(name: str) -> str:
    """The path of a program; without it the running test is left out."""
    found = shutil.which(name, path=lab_environment()["PATH"])
    if found is None:
        leave_out(f"no {name} on this machine: apt install {PACKAGES.get(name, name)}")
    return found


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """`program("haproxy")`: its path, or the test is left out."""
    return find_program


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a marker demands."""
    if item.get_closest_marker("netns") and not inside() and (obstacle := find_obstacle()):
        leave_out(obstacle)
    if item.get_closest_marker("keepalived"):
        find_program("keepalived")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out, by file, and how to get it."""
    terminalreporter.section("left out")
    skipped = terminalreporter.stats.get("skipped", [])
    for line in _left_out(skipped):
        terminalreporter.line(line)
    if not skipped:
        terminalreporter.line("nothing")


def _left_out(reports: list[pytest.TestReport]) -> Iterator[str]:
    groups = Counter((report.nodeid.partition("::")[0], _reason(report)) for report in reports)
    for (file, reason), count in sorted(groups.items()):
        yield f"{file}: {count} test{'' if count == 1 else 's'}: {reason}"


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    return where[2].removeprefix("Skipped: ") if isinstance(where, tuple) else str(where)
