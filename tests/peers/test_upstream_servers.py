"""Servers that people run, behind one worker: nginx, Caddy, gunicorn and Node.js, asked by curl."""

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.origins import BIG_BYTES, BIG_LINE, DIGESTS, ORIGINS
from tests.peers.programs import balanced

pytestmark = pytest.mark.slow

BIG_DIGEST = hashlib.sha256(BIG_LINE * (BIG_BYTES // len(BIG_LINE))).hexdigest()
Curl = Callable[..., bytes]


@pytest.fixture
def curl(program: Callable[[str], str]) -> Curl:
    path = program("curl")

    def run(*arguments: str) -> bytes:
        command = [path, "-sS", "--fail", "--max-time", "60", *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout

    return run


@pytest.fixture(scope="module")
def url(
    request: pytest.FixtureRequest, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    name = request.param
    path = "" if name == "gunicorn" else program(name)
    where = tmp_path_factory.mktemp(name)
    with ORIGINS[name](path, where) as server, balanced(server, where) as port:
        yield f"http://127.0.0.1:{port}"


every_server = pytest.mark.parametrize("url", list(ORIGINS), indirect=True)
every_application = pytest.mark.parametrize("url", DIGESTS, indirect=True)
every_file_server = pytest.mark.parametrize("url", ["nginx", "caddy"], indirect=True)


@every_server
def test_a_small_and_a_large_body_come_whole(url: str, curl: Curl) -> None:
    assert curl(f"{url}/small") == b"hello\n"
    assert hashlib.sha256(curl(f"{url}/big")).hexdigest() == BIG_DIGEST


@every_server
def test_one_client_connection_serves_many_requests(url: str, curl: Curl) -> None:
    shown = curl("-w", "%{num_connects}\n", *_asks(f"{url}/small", 50))
    assert shown.split() == [b"1"] + [b"0"] * 49


def _asks(url: str, times: int) -> list[str]:
    return [word for _ in range(times) for word in ("-o", "/dev/null", url)]


@every_server
def test_what_is_not_there_is_404_and_the_connection_lives_on(url: str, curl: Curl) -> None:
    shown = curl("--no-fail", "-w", "%{http_code} %{num_connects}\n", *_asks(f"{url}/nowhere", 2))
    assert shown.split() == [b"404", b"1", b"404", b"0"]


@every_application
@pytest.mark.parametrize("framing", ["length", "chunked", "expect"])
def test_an_upload_comes_whole(url: str, curl: Curl, tmp_path: Path, framing: str) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(BIG_LINE * (BIG_BYTES // len(BIG_LINE)))
    header = {"length": "Expect:", "chunked": "Transfer-Encoding: chunked", "expect": "Expect: 100-continue"}[framing]
    digest = curl("-X", "POST", "-T", str(upload), "-H", header, f"{url}/digest")
    assert digest.decode() == BIG_DIGEST


@every_file_server
def test_ranges_and_validators_pass(url: str, curl: Curl) -> None:
    assert curl("-r", "1-3", f"{url}/small") == b"ell"
    head = curl("-I", f"{url}/small").lower()
    assert b"content-length: 6\r\n" in head
    etag = head.partition(b"\netag: ")[2].partition(b"\r")[0].decode()
    assert etag
    code = curl("--no-fail", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"If-None-Match: {etag}", f"{url}/small")
    assert code == b"304"
