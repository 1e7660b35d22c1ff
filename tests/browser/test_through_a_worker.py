"""A real browser in front of one worker: parallel assets, a WebSocket, an EventSource, a gigabyte each way.

By HTTP/1.1 in clear, and by HTTP/2 over TLS, where a WebSocket still needs a connection of HTTP/1.1 to itself.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.conftest import Open, key_digest
from tests.peers.programs import balanced, free_port, running

pytestmark = pytest.mark.slow

SITE = Path(__file__).with_name("site.py")
BLOCK = bytes(range(256)) * 4096
GIGABYTE_CRC = "00ee2daa"

ANSWERS: dict[str, Any] = {
    "assets": 1225,
    "echo": [1, 125, 70000, 300000, True],
    "events": "0 1 2 3 4",
    "upload": GIGABYTE_CRC,
    "download": [1 << 30, 0],
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    with running([sys.executable, str(SITE), str(port)], port, log=tmp_path / "site.log"):
        yield port


@pytest.fixture
def gigabyte(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "gigabyte"
    with path.open("wb") as file:
        file.writelines(BLOCK for _ in range(1024))
    yield path
    path.unlink()


def tried(page: webdriver.Chrome, address: str, gigabyte: Path) -> Any:
    page.get(address)
    page.find_element(By.TAG_NAME, "input").send_keys(str(gigabyte))
    WebDriverWait(page, 100).until(lambda page: page.title == "done")
    results = json.loads(page.find_element(By.ID, "result").text)
    assert page.get_log("browser") == []
    return results


def test_a_page_that_tries_everything(browser: Open, site: int, gigabyte: Path, tmp_path: Path) -> None:
    with balanced(site, tmp_path) as port:
        assert tried(browser(), f"http://127.0.0.1:{port}/", gigabyte) == ANSWERS | {"spoken": "http/1.1"}


def test_the_same_by_http2_over_tls(browser: Open, site: int, gigabyte: Path, issued: Any, tmp_path: Path) -> None:
    page = browser(f"--ignore-certificate-errors-spki-list={key_digest(issued.certificate)}")
    with balanced(site, tmp_path, "--http2", "--certificate", str(issued.both)) as port:
        assert tried(page, f"https://127.0.0.1:{port}/", gigabyte) == ANSWERS | {"spoken": "h2"}
