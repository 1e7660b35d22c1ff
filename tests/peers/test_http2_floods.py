"""Floods by HTTP/2 against a worker process, its limits as they come: GOAWAY and the end, and another client served."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.http2 import frames
from balancer.http2.frames import CONTINUATION, DATA, GOAWAY, HEADERS, PING, RST_STREAM, WINDOW_UPDATE, frame
from tests.peers.origins import gunicorn
from tests.peers.programs import free_port, running

pytestmark = pytest.mark.slow

HELLO = frames.PREFACE + frames.settings({})
GET, POST = b"\x82\x84\x86\x41\x01a", b"\x83\x84\x86\x41\x01a"
CALM = 11
RESETS = "too many streams that came to nothing"
IDLE = "too many frames that carry nothing forward"
FLOODS = {
    "rapid reset": (
        b"".join(frame(HEADERS, 5, i, GET) + frame(RST_STREAM, 0, i, b"\0\0\0\x08") for i in range(1, 1_001, 2)),
        RESETS,
    ),
    "CONTINUATION": (frame(HEADERS, 1, 1, GET) + frame(CONTINUATION, 0, 1) * 5_000, "header block in too many pieces"),
    "PING": (frame(PING, 0, 0, bytes(8)) * 5_000, IDLE),
    "SETTINGS": (frames.settings({4: 70_000}) * 5_000, IDLE),
    "empty DATA": (frame(HEADERS, 4, 1, POST) + frame(DATA, 0, 1) * 5_000, IDLE),
    "tiny WINDOW_UPDATE": (frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 5_000, IDLE),
}


class House:
    """A worker in front of a server, and what it logs."""

    def __init__(self, port: int, worker: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self._worker = worker
        self._log = log

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 20)

    def reasons(self) -> list[str]:
        """What the log says of all that ended badly; the worker ends for it."""
        self._worker.terminate()
        self._worker.wait(20)
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line["reason"] for line in lines if line.get("termination") == "PR"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with gunicorn("", tmp_path_factory.mktemp("gunicorn")) as port:
        yield port


@pytest.fixture
def house(server: int, tmp_path: Path) -> Iterator[House]:
    port, log = free_port(), tmp_path / "worker.log"
    command = [sys.executable, "-m", "balancer.serve", "--listen", f"127.0.0.1:{port}", "--http2"]
    command += ["--server", f"127.0.0.1:{server}", "--access-log", "json"]
    with running(command, port, log=log) as worker:
        yield House(port, worker, log)


class Client:
    """Asks for something small again and again on one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = frames.FrameReader(1 << 20)
        self._stream_id = -1
        connection.sendall(HELLO)

    def ask(self) -> bytes:
        self._stream_id += 2
        path = b"\x04\x06/small"
        self._connection.sendall(frame(HEADERS, 5, self._stream_id, b"\x82" + path + GET[2:]))
        body = b""
        while True:
            self._reader.add(self._connection.recv(65_536))
            for one in iter(self._reader.next, None):
                assert one.kind not in (GOAWAY, RST_STREAM)
                if one.kind == DATA:
                    body += one.payload
                    if one.flags & frames.END_STREAM:
                        return body


def all_of(connection: socket.socket) -> bytes:
    """Until the other side ends it."""
    received = b""
    while data := connection.recv(65_536):
        received += data
    return received


def goaways(data: bytes) -> list[tuple[int, bytes]]:
    """Error codes and texts."""
    reader = frames.FrameReader(1 << 20)
    reader.add(data)
    found = iter(reader.next, None)
    return [(frames.number(one.payload[4:8]), one.payload[8:]) for one in found if one.kind == GOAWAY]


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_sent_away_and_nobody_else_notices(house: House, flood: str) -> None:
    data, why = FLOODS[flood]
    with house.connect() as other_end, house.connect() as attacker:
        other = Client(other_end)
        assert other.ask() == b"hello\n"
        attacker.sendall(HELLO + data)
        assert goaways(all_of(attacker)) == [(CALM, why.encode())]
        assert other.ask() == b"hello\n"
    assert house.reasons() == [why]
