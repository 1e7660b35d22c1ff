"""What systemd is told and what it asks for, with a real datagram socket in its place."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hapair.systemd import notify, watchdog_interval_s


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind(str(tmp_path / "notify"))
        yield sock


def test_a_state_arrives(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", listening.getsockname())
    notify("READY=1")
    notify("STATUS=pi-a is ACTIVE")
    assert listening.recv(100) == b"READY=1"
    assert listening.recv(100) == b"STATUS=pi-a is ACTIVE"


def test_an_abstract_address_is_written_with_an_at_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"hapair-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify("WATCHDOG=1")
        assert sock.recv(100) == b"WATCHDOG=1"


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")


def test_a_systemd_that_does_not_listen_is_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")
    path = tmp_path / "closed"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    notify("READY=1")


def test_a_full_queue_drops_the_datagram_instead_of_waiting(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", listening.getsockname())
    for _ in range(5000):
        notify("WATCHDOG=1")
    assert listening.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("usec", "interval_s"),
    [("3000000", 1.5), ("500000", 0.25), ("", None), ("0", None), ("-1", None), ("3s", None), ("\u0663", None)],
)
def test_the_watchdog_is_fed_twice_as_often_as_asked(
    usec: str, interval_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert watchdog_interval_s() == interval_s


def test_a_watchdog_that_is_meant_for_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_interval_s() == 1.5
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_interval_s() is None
    monkeypatch.delenv("WATCHDOG_USEC")
    assert watchdog_interval_s() is None
