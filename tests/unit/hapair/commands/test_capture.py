"""`hapair capture`: what is shown and written, and what is said where it cannot be done."""

import errno
from pathlib import Path

import pytest
from click.testing import CliRunner

from hapair.commands import capture
from tests.unit.hapair.capture.test_explain import NODE, VIP, arp

FILE = """\
pair: {nodes: {pi-a: 192.0.2.11}}
virtual_routers:
  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24]}
  more: {vrid: 52, interface: eth0, addresses: [192.0.2.101/24]}
"""


class FakeTap:
    """Frames without end, or an error."""

    opened: list[str]
    error: OSError | None

    def __init__(self, interface: str) -> None:
        if self.error is not None:
            raise self.error
        self.interface = interface
        self.opened.append(interface)

    async def next_frame(self) -> bytes:
        return arp("01", NODE, VIP)

    def close(self) -> None:
        self.opened.remove(self.interface)


@pytest.fixture(autouse=True)
def tap(monkeypatch: pytest.MonkeyPatch) -> type[FakeTap]:
    """In place of the real one."""
    FakeTap.opened, FakeTap.error = [], None
    monkeypatch.setattr(capture, "Tap", FakeTap)
    return FakeTap


WORDS = "ARP request: who has 192.0.2.100? asks 192.0.2.11 at 02:00:00:00:00:0a"


def test_each_frame_is_a_line_and_goes_into_the_file(tmp_path: Path, tap: type[FakeTap]) -> None:
    file = tmp_path / "x.pcap"
    result = CliRunner().invoke(capture.command, ["-i", "eth7", "-n", "3", "-w", str(file)])
    assert result.exit_code == 0
    assert [line[13:] for line in result.stdout.splitlines()] == [WORDS] * 3
    assert result.stderr == "listening on eth7; Ctrl-C ends it\n"
    assert file.stat().st_size == 24 + 3 * (16 + 42)
    assert tap.opened == []


def test_interfaces_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "hapair.yaml"
    file.write_text(FILE)
    result = CliRunner().invoke(capture.command, ["-c", str(file), "--node", "pi-a", "-n", "1"])
    assert "listening on eth0; " in result.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EPERM, "Operation not permitted"), "capturing needs CAP_NET_RAW; run it as root"),
        (OSError(errno.ENODEV, "No such device"), "there is no interface eth7; `ip link` names those there are"),
        (OSError(errno.ENETDOWN, "Network is down"), "eth7 is down"),
    ],
)
def test_what_stands_in_the_way(tap: type[FakeTap], error: OSError, words: str) -> None:
    tap.error = error
    result = CliRunner().invoke(capture.command, ["-i", "eth7"])
    assert result.exit_code == 1
    assert words in result.stderr


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    result = CliRunner().invoke(capture.command, ["-i", "eth7", "-w", str(tmp_path / "no" / "x.pcap")])
    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr
