"""Writers: targets that take, refuse, stall and come back."""

import os
import re
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from balancer.accesslog.writer import (
    FileTarget,
    SocketTarget,
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
        syslog.settimeout(60)
        writer = Writer(open_target("udp", Endpoint("127.0.0.1", syslog.getsockname()[1]), tag="lb"), 100)
        writer.put(["one", "two"])
        writer.close()
        for line in (b"one", b"two"):
            form = rb"<134>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d lb\[%d\]: %b" % (os.getpid(), line)
            assert re.fullmatch(form, syslog.recv(1000))


def test_a_local_syslog_that_goes_and_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    target = SocketTarget(socket.AF_UNIX, path, str.encode)
    assert target.write(["nobody there"]) == 1
    for line in ("one", "two"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
            syslog.bind(path)
            syslog.settimeout(60)
            assert target.write([line]) == 0
            assert syslog.recv(100) == line.encode()
        os.unlink(path)
    target.close()


def test_a_local_syslog_with_a_stream(tmp_path: Path) -> None:
    """As syslog-ng has it; and one that is started anew with the other kind."""
    path = str(tmp_path / "log")
    target = SocketTarget(socket.AF_UNIX, path, str.encode)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as syslog:
        syslog.bind(path)
        syslog.listen()
        assert target.write(["one", "two"]) == 0
        assert target.write(["three"]) == 0
        taken, _ = syslog.accept()
        with taken:
            assert taken.recv(14, socket.MSG_WAITALL) == b"one\ntwo\nthree\n"
    os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(path)
        assert target.write(["four"]) == 0
        assert syslog.recv(100) == b"four"
    target.close()


def test_syslog_by_tcp_goes_on_where_it_was_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as syslog:
        syslog.settimeout(60)
        where = Endpoint("127.0.0.1", syslog.getsockname()[1])
        target = open_target("tcp", where, tag="lb")
        for line in ("one", "two"):  # each time the receiver has closed the connection before
            assert target.write([line, "more"]) == 0
            taken, _ = syslog.accept()
            with taken:
                first, second, rest = taken.recv(1000).split(b"\n")
            form = rb"<134>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d lb\[%d\]: %b"
            assert re.fullmatch(form % (os.getpid(), line.encode()), first)
            assert (second[-4:], rest) == (b"more", b"")
    assert target.write(["nobody there", "any more"]) == 2
    target.close()


def test_of_a_stream_that_breaks_off_a_line_is_sent_again_whole() -> None:
    target = SocketTarget(socket.AF_INET, ("127.0.0.1", 1), str.encode, socket.SOCK_STREAM)
    left = [b"one", b"two", b"three"]
    with pytest.raises(ConnectionResetError):
        target._stream(Broken(6), left)  # type: ignore[arg-type]
    assert left == [b"two", b"three"]


class Broken:
    """A connection that takes so many bytes."""

    def __init__(self, most: int) -> None:
        self._most = most

    def send(self, data: bytes) -> int:
        if not self._most:
            raise ConnectionResetError
        taken, self._most = min(self._most, len(data)), 0
        return taken


def test_what_is_sent() -> None:
    assert journal_entries("lb")("GET /") == b"PRIORITY=6\nSYSLOG_IDENTIFIER=lb\nMESSAGE=GET /\n"
    assert len(syslog_lines("lb")("x" * 10_000)) == 8192


def test_standard_output_is_nobodys_to_close() -> None:
    open_target("stdout", "", tag="x").close()
    os.fstat(1)
    open_target("journald", "", tag="x").close()
    open_target("unix", "/dev/log", tag="x").close()
