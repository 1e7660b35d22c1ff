"""HTTP/2 clients of other makes in front of a worker: curl, nghttp, h2load, and one that reads nothing."""

import hashlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes

from tests.peers.origins import BIG_BYTES, BIG_LINE, gunicorn
from tests.peers.programs import ROOT, balanced, free_port, running

pytestmark = pytest.mark.slow

BIG_DIGEST = hashlib.sha256(BIG_LINE * (BIG_BYTES // len(BIG_LINE))).hexdigest()
STREAMS = 100
MEGABYTE = 1 << 20
PRIOR = "--http2-prior-knowledge"


def output_of(*command: str) -> bytes:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=100).stdout


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with gunicorn("", tmp_path_factory.mktemp("gunicorn")) as port:
        yield port


@pytest.fixture(scope="module")
def url(server: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with balanced(server, tmp_path_factory.mktemp("worker"), "--http2") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def secure_url(server: int, issued: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    options = ("--http2", "--certificate", str(issued.both))
    with balanced(server, tmp_path_factory.mktemp("secure"), *options) as port:
        yield f"https://127.0.0.1:{port}"


@pytest.fixture
def curl(program: Callable[[str], str]) -> Callable[..., bytes]:
    path = program("curl")
    return lambda *arguments: output_of(path, "-sS", "--fail", "--max-time", "60", *arguments)


def test_curl_downloads_and_uploads(url: str, curl: Callable[..., bytes], tmp_path: Path) -> None:
    assert curl(PRIOR, "-w", "%{http_version}", f"{url}/small") == b"hello\n2"
    assert hashlib.sha256(curl(PRIOR, f"{url}/big")).hexdigest() == BIG_DIGEST
    body = tmp_path / "body"
    body.write_bytes(os.urandom(20 * MEGABYTE))
    digest = hashlib.sha256(body.read_bytes()).hexdigest().encode()
    assert curl(PRIOR, "--data-binary", f"@{body}", f"{url}/digest") == digest
    assert curl("--http1.1", "-w", "%{http_version}", f"{url}/small") == b"hello\n1.1"


def test_curl_agrees_upon_it_with_tls(secure_url: str, curl: Callable[..., bytes], authority: Any) -> None:
    trust = ("--cacert", str(authority.itself.certificate))
    assert curl(*trust, "--http2", "-w", "%{http_version}", f"{secure_url}/small") == b"hello\n2"
    assert curl(*trust, "--http1.1", "-w", "%{http_version}", f"{secure_url}/small") == b"hello\n1.1"
    assert curl(*trust, "--no-alpn", "-w", "%{http_version}", f"{secure_url}/small") == b"hello\n1.1"
    assert hashlib.sha256(curl(*trust, "--http2", f"{secure_url}/big")).hexdigest() == BIG_DIGEST


def test_curl_reads_what_the_worker_compresses(server: int, curl: Callable[..., bytes], tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    with balanced(server, tmp_path, "--http2", "--compress", "application/octet-stream") as port:
        body = curl(PRIOR, "--compressed", "-D", str(heads), f"http://127.0.0.1:{port}/big")
    assert heads.read_bytes().startswith(b"HTTP/2 200")
    assert b"content-encoding: gzip\r\n" in heads.read_bytes()
    assert hashlib.sha256(body).hexdigest() == BIG_DIGEST


def test_nghttp_with_a_small_window_and_many_streams(url: str, program: Callable[[str], str]) -> None:
    nghttp = program("nghttp")
    told = output_of(nghttp, "-ns", "-m", "20", "-w", "14", "-W", "16", f"{url}/small").decode()
    assert len(re.findall(r" 200 +6 /small$", told, re.MULTILINE)) == 20
    body = output_of(nghttp, "-w", "10", "-W", "12", f"{url}/big")
    assert hashlib.sha256(body).hexdigest() == BIG_DIGEST


def test_h2load(url: str, program: Callable[[str], str]) -> None:
    told = output_of(program("h2load"), "-n", "2000", "-c", "10", "-m", "20", f"{url}/small").decode()
    assert "2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout" in told
    assert "status codes: 2000 2xx" in told


def test_h2load_with_tls(secure_url: str, program: Callable[[str], str]) -> None:
    told = output_of(program("h2load"), "-n", "1000", "-c", "5", "-m", "20", f"{secure_url}/small").decode()
    assert "Application protocol: h2" in told
    assert "1000 succeeded, 0 failed, 0 errored, 0 timeout" in told


def test_a_hundred_streams_at_once_a_megabyte_each_way(tmp_path: Path) -> None:
    port = free_port()
    bodies = {stream_id: os.urandom(MEGABYTE) for stream_id in range(1, 2 * STREAMS, 2)}
    with (
        running([sys.executable, str(ROOT / "tests/peers/echo.py"), str(port)], port, log=tmp_path / "echo.log"),
        balanced(port, tmp_path, "--http2") as door,
        socket.create_connection(("127.0.0.1", door), 20) as connection,
    ):
        came = exchanged(connection, bodies)
    assert {stream_id: hashlib.sha256(body).digest() for stream_id, body in came.items()} == {
        stream_id: hashlib.sha256(body).digest() for stream_id, body in bodies.items()
    }


def exchanged(connection: socket.socket, bodies: Mapping[int, bytes]) -> dict[int, bytearray]:
    """Upload all at once, each as far as the windows go, and download what comes meanwhile."""
    h2 = H2Connection(H2Configuration())
    h2.initiate_connection()
    h2.increment_flow_control_window(1 << 30)
    for stream_id, body in bodies.items():
        head = [(":method", "PUT"), (":scheme", "http"), (":path", f"/{stream_id}"), (":authority", "a")]
        h2.send_headers(stream_id, [*head, ("content-length", str(len(body)))])
    left = {stream_id: memoryview(body) for stream_id, body in bodies.items()}
    came = {stream_id: bytearray() for stream_id in bodies}
    open_streams = set(bodies)
    while open_streams:
        for stream_id, rest in tuple(left.items()):
            count = min(len(rest), h2.local_flow_control_window(stream_id), h2.max_outbound_frame_size)
            if count > 0:
                h2.send_data(stream_id, bytes(rest[:count]), end_stream=count == len(rest))
                left[stream_id] = rest[count:]
            if not left[stream_id]:
                del left[stream_id]
        connection.sendall(h2.data_to_send())
        for event in h2.receive_data(connection.recv(1 << 20)):
            if isinstance(event, DataReceived):
                came[event.stream_id] += event.data
                h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                open_streams.discard(event.stream_id)
            assert not isinstance(event, StreamReset | ConnectionTerminated), event
    return came


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_client_that_reads_nothing_costs_no_more_than_a_read_for_each_stream(server: int, tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "balancer.serve", "--listen", f"127.0.0.1:{port}", "--http2"]
    command += ["--server", f"127.0.0.1:{server}"]
    with running(command, port, log=tmp_path / "worker.log") as worker, Slow(port) as client:
        client.ask(1)
        client.read_until(1, 1000)
        before = resident_bytes(worker.pid)
        for stream_id in range(3, 9, 2):  # gunicorn has four threads
            client.ask(stream_id)
        for stream_id in range(3, 9, 2):
            client.read_until(stream_id, 1000)
        assert resident_bytes(worker.pid) - before < 4 * MEGABYTE  # of three times 20


class Slow:
    """A client whose windows let 1,000 bytes of each response go."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._h2 = H2Connection(H2Configuration())
        self._h2.initiate_connection()
        self._h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        self._got: dict[int, int] = {}
        self._socket.sendall(self._h2.data_to_send())
        while self._h2.local_settings.initial_window_size != 1000:
            self._h2.receive_data(self._socket.recv(65536))

    def __enter__(self) -> "Slow":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, stream_id: int) -> None:
        head = [(":method", "GET"), (":scheme", "http"), (":path", "/big"), (":authority", "a")]
        self._h2.send_headers(stream_id, head, end_stream=True)
        self._socket.sendall(self._h2.data_to_send())

    def read_until(self, stream_id: int, count: int) -> None:
        while self._got.get(stream_id, 0) < count:
            for event in self._h2.receive_data(self._socket.recv(65536)):
                if isinstance(event, DataReceived):
                    self._got[event.stream_id] = self._got.get(event.stream_id, 0) + len(event.data)
            self._socket.sendall(self._h2.data_to_send())
