"""Writers: targets that take, refuse, stall and come back."""

import os
import re
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

from balancer.accesslog.writer import (
    DatagramTarget,
    FileTarget,
    Writer,
    journal_entries,
    open_file,
    open_target,
    syslog_lines,
)
from balancer.fieldtypes import Endpoint


class Stalled:
    """Takes nothing until it may."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.began = threading.Event()
        self.lines: list[str] = []

    def write(self, lines: Sequence[str]) -> int:
        self.began.set()
        self.may.wait(5)
        self.lines.extend(lines)
        return 0

    def close(self) -> None: ...


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    os.umask(os.umask(0))
    writer = Writer(open_target("file", str(path), tag="hapair"), 100)
    writer.put(["one", "two"])
    writer.put(["three"])
    writer.close()
    assert path.read_text() == "one\ntwo\nthree\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert writer.dropped == 0


def test_a_file_that_was_rotated(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = Writer(FileTarget(open_file(str(path)), owned=True), 100)
    writer.put(["one"])
    path.rename(tmp_path / "log.1")
    writer.put(["two"])
    writer.replace(FileTarget(open_file(str(path)), owned=True))
    writer.put(["three"])
    writer.close()
    assert (tmp_path / "log.1").read_text() == "one\ntwo\n"
    assert path.read_text() == "three\n"


def test_a_target_that_stalls_costs_lines_and_no_time() -> None:
    target = Stalled()
    writer = Writer(target, 3)
    writer.put(["one"])
    assert target.began.wait(5)
    writer.put(["two", "three"])
    writer.put(["four"])
    writer.put(["five", "six"])
    assert writer.dropped == 3
    target.may.set()
    writer.close()
    assert target.lines == ["one", "two", "three"]


def test_a_disk_that_is_full() -> None:
    with open("/dev/full", "wb") as full:
        writer = Writer(FileTarget(full.fileno(), owned=False), 100)
        writer.put(["one", "two"])
        writer.close()
    assert writer.dropped == 2


def test_syslog_by_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(5)
        writer = Writer(open_target("udp", Endpoint("127.0.0.1", syslog.getsockname()[1]), tag="lb"), 100)
        writer.put(["one", "two"])
        writer.close()
        for line in (b"one", b"two"):
            form = rb"<134>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d lb\[%d\]: %b" % (os.getpid(), line)
            assert re.fullmatch(form, syslog.recv(1000))


def test_a_local_syslog_that_goes_and_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    target = DatagramTarget(socket.AF_UNIX, path, str.encode)
    assert target.write(["nobody there"]) == 1
    for line in ("one", "two"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.bind(path)
            syslog.settimeout(5)
            assert target.write([line]) == 0
            assert syslog.recv(100) == line.encode()
        os.unlink(path)
    target.close()


def test_what_is_sent() -> None:
    assert journal_entries("lb")("GET /") == b"PRIORITY=6\nSYSLOG_IDENTIFIER=lb\nMESSAGE=GET /\n"
    assert len(syslog_lines("lb")("x" * 10_000)) == 8192


def test_standard_output_is_nobodys_to_close() -> None:
    open_target("stdout", "", tag="x").close()
    os.fstat(1)
    open_target("journald", "", tag="x").close()
    open_target("unix", "/dev/log", tag="x").close()
