"""What servers send, compressed by a worker, read by curl."""

import gzip
import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.origins import BIG_BYTES, BIG_LINE, ORIGINS
from tests.peers.programs import balanced

pytestmark = pytest.mark.slow

BIG_DIGEST = hashlib.sha256(BIG_LINE * (BIG_BYTES // len(BIG_LINE))).hexdigest()
COMPRESS = ("--compress", "application/octet-stream", "--compress", "text/plain")


@pytest.fixture(scope="module", params=["nginx", "gunicorn"])
def url(
    request: pytest.FixtureRequest, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    name = request.param
    path = "" if name == "gunicorn" else program(name)
    where = tmp_path_factory.mktemp(name)
    with ORIGINS[name](path, where) as server, balanced(server, where, *COMPRESS) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def curl(program: Callable[[str], str]) -> Callable[..., bytes]:
    path = program("curl")

    def run(*arguments: str) -> bytes:
        command = [path, "-sS", "--fail", "--max-time", "60", *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout

    return run


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
def test_curl_reads_a_large_body(url: str, curl: Callable[..., bytes], tmp_path: Path, version: str) -> None:
    heads = tmp_path / "heads"
    body = curl(version, "--compressed", "-D", str(heads), f"{url}/big")
    assert b"content-encoding: gzip\r\n" in heads.read_bytes().lower()
    assert hashlib.sha256(body).hexdigest() == BIG_DIGEST


def test_what_is_sent_is_gzip_and_much_smaller(url: str, curl: Callable[..., bytes]) -> None:
    sent = curl("-H", "Accept-Encoding: br;q=1, gzip;q=0.5", f"{url}/big")
    assert len(sent) < BIG_BYTES // 50
    assert hashlib.sha256(gzip.decompress(sent)).hexdigest() == BIG_DIGEST


def test_who_asks_for_a_range_or_nothing_gets_it_plain(url: str, curl: Callable[..., bytes]) -> None:
    assert hashlib.sha256(curl(f"{url}/big")).hexdigest() == BIG_DIGEST
    assert curl("--compressed", f"{url}/small") == b"hello\n"
