"""Memory while a body goes through, whose reader takes nothing until the sender is stuck: beside HAProxy.

    python -m benchmarks.streaming --megabytes 1000 --json streaming.json

By http with a length (spliced) and in chunks, by TLS with a length; downloads and uploads. What is printed is by how
much the process is larger at its largest than before. Goal: it does not depend on the size of the body; at most 8 MB.
"""

from __future__ import annotations

import argparse
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import harness
from benchmarks.tls import make_certificate

BLOCK = bytes(1 << 18)
CHUNK = b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK)
STUCK_AFTER_S = 0.3
PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Case:
    """One way to send a body."""

    tls: bool
    chunked: bool
    upload: bool

    @property
    def name(self) -> str:
        framing = "chunked" if self.chunked else "length"
        return f"{'tls' if self.tls else 'http'} {framing} {'up' if self.upload else 'down'}"


CASES = [
    Case(tls=tls, chunked=chunked, upload=upload)
    for tls, chunked in ((False, False), (False, True), (True, False))
    for upload in (False, True)
]


def peak_growth_bytes(pid: int, port: int, origin: Origin, case: Case, blocks: int) -> int:
    """How much larger than before a process gets while a body of so many blocks goes through it."""
    exchange(port, origin, case, 4)
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = _status_bytes(pid, "VmRSS")
    exchange(port, origin, case, blocks)
    return _status_bytes(pid, "VmHWM") - before


def _status_bytes(pid: int, key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


class Origin:
    """A server that sends as many blocks as the path says, or reads what comes; one connection after the other."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.stuck = threading.Event()
        """Whoever sends cannot go on: from now on it is read."""
        self.received = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE_S)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(ConnectionResetError):
            while True:
                data = b""
                while b"\r\n\r\n" not in data:
                    if not (more := connection.recv(65536)):
                        return
                    data += more
                head, _, body = data.partition(b"\r\n\r\n")
                method, path, _ = head.split(b" ", 2)
                chunked, blocks = path.split(b"/")[1:]
                if method == b"PUT":
                    self.stuck.wait(PATIENCE_S)
                    self.received = read_body(connection, int(blocks), body, chunked=chunked == b"chunked")
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing(int(blocks), chunked=chunked == b"chunked"))
                    send_body(connection, int(blocks), self.stuck, chunked=chunked == b"chunked")

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def framing(blocks: int, *, chunked: bool) -> bytes:
    if chunked:
        return b"Transfer-Encoding: chunked\r\n\r\n"
    return b"Content-Length: %d\r\n\r\n" % (blocks * len(BLOCK))


def send_body(connection: socket.socket, blocks: int, stuck: threading.Event, *, chunked: bool) -> None:
    """Says when it can send no more; then it waits."""
    connection.settimeout(STUCK_AFTER_S)
    for _ in range(blocks):
        rest = memoryview(CHUNK if chunked else BLOCK)
        while rest:
            try:
                rest = rest[connection.send(rest) :]
            except TimeoutError:
                stuck.set()
                connection.settimeout(PATIENCE_S)
    stuck.set()
    connection.settimeout(PATIENCE_S)
    if chunked:
        connection.sendall(b"0\r\n\r\n")


def read_body(connection: socket.socket, blocks: int, data: bytes, *, chunked: bool) -> int:
    """How many bytes of a body of zeros came. In chunks of whatever size: all but sizes and line ends are zeros."""
    received, last = data.count(0), data[-5:]
    buffer = bytearray(1 << 18)
    while received < blocks * len(BLOCK) or (chunked and last != b"0\r\n\r\n"):
        taken = connection.recv_into(buffer)
        if not taken:
            break
        received += buffer.count(0, 0, taken) if chunked else taken
        last = (last + buffer[max(0, taken - 5) : taken])[-5:]
    return received


def exchange(port: int, origin: Origin, case: Case, blocks: int) -> None:
    """One body from end to end."""
    origin.stuck.clear()
    kind = "chunked" if case.chunked else "length"
    start = f"{'PUT' if case.upload else 'GET'} /{kind}/{blocks} HTTP/1.1\r\nHost: a\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain:
        client = unverified().wrap_socket(plain) if case.tls else plain
        with client:
            if case.upload:
                client.sendall(start + framing(blocks, chunked=case.chunked))
                send_body(client, blocks, origin.stuck, chunked=case.chunked)
                assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
                assert origin.received == blocks * len(BLOCK)
            else:
                client.sendall(start + b"\r\n")
                origin.stuck.wait(PATIENCE_S)
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(1)
                assert read_body(client, blocks, b"", chunked=case.chunked) == blocks * len(BLOCK)


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def serving() -> Iterator[Origin]:
    origin = Origin()
    try:
        yield origin
    finally:
        origin.close()


def benchmark(options: argparse.Namespace) -> list[harness.Row]:
    blocks = options.megabytes * 1_000_000 // len(BLOCK)
    rows: list[harness.Row] = []
    with ExitStack() as stack:
        where = stack.enter_context(harness.folder())
        origin = stack.enter_context(serving())
        certificate = make_certificate(where)
        for case in CASES:
            values: dict[str, list[float]] = {"haproxy": [], harness.OURS: []}
            for _ in range(options.rounds):
                extra = ("--certificate", str(certificate)) if case.tls else ()
                bind = f"ssl crt {certificate}" if case.tls else ""
                with (
                    harness.haproxy(where, origin.port, mode="http", bind=bind) as theirs,
                    harness.hapair(origin.port, mode="http", extra=extra) as ours,
                ):
                    for subject in (theirs, ours):
                        grown = peak_growth_bytes(subject.pid, subject.port, origin, case, blocks)
                        values[subject.name].append(grown / 1e6)
            rows += harness.rows(case.name, "memory", "MB", values, comparable=False)
    return rows


if __name__ == "__main__":
    harness.run("Memory while a large body goes through, beside HAProxy.", benchmark, megabytes=1000)
