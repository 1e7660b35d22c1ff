"""What every test shares: what a test needs beside Python, and the list of what was left out for want of it.

A test says what it needs by a marker (`netns`, `keepalived`) or through the fixture `program`. What the machine lacks
is a skip that says how to get it; with CI=true it is a failure, because there everything has been installed.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
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
    "nghttp": "nghttp2-client",
    "h2load": "nghttp2-client",
    "nft": "nftables",
    "iptables-nft-restore": "iptables",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "dnsmasq": "dnsmasq-base",
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


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, in files of their own and in one."""

    certificate: Path
    key: Path
    both: Path

    @property
    def pem(self) -> bytes:
        return self.both.read_bytes()


class Authority:
    """Signs certificates, as quickly as `openssl` can: with keys on P-256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self.itself = self._make("/CN=An authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    @property
    def pem(self) -> bytes:
        return self.itself.certificate.read_bytes()

    def issue(self, *names: str, subject: str = "", days: int = 90, rsa: bool = False) -> Issued:
        """For DNS names and IP addresses, or for a client with a subject: `/O=Example/CN=anna`."""
        kinds = ",".join(f"{'IP' if name[-1].isdigit() else 'DNS'}:{name}" for name in names)
        extra = ["-addext", f"subjectAltName={kinds}"] if names else []
        signed = ["-CA", str(self.itself.certificate), "-CAkey", str(self.itself.key)]
        extra += ["-addext", "basicConstraints=critical,CA:FALSE"]
        return self._make(subject or f"/CN={names[0]}", *signed, *extra, days=days, rsa=rsa)

    def _make(self, subject: str, *extra: str, days: int = 90, rsa: bool = False) -> Issued:
        self._made += 1
        made = Issued(*(self._folder / f"{self._made}.{kind}" for kind in ("crt", "key", "pem")))
        algorithm = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        files = ["-keyout", str(made.key), "-out", str(made.certificate)]
        command = ["openssl", "req", "-x509", "-newkey", *algorithm, "-nodes", *files, "-days", str(days)]
        subprocess.run([*command, "-subj", subject, *extra], check=True, capture_output=True)
        made.both.write_bytes(made.certificate.read_bytes() + made.key.read_bytes())
        made.both.chmod(0o600)
        return made


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Makes certificates for tests."""
    find_program("openssl")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def issued(authority: Authority) -> Issued:
    """A certificate for www.example.org, *.example.net and 127.0.0.1."""
    return authority.issue("www.example.org", "*.example.net", "127.0.0.1")


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
