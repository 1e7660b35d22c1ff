"""A real browser in front of one worker: parallel assets, a WebSocket, an EventSource, a gigabyte each way."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.peers.programs import balanced, free_port, running

pytestmark = pytest.mark.slow

SITE = Path(__file__).with_name("site.py")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
BLOCK = bytes(range(256)) * 4096
GIGABYTE_CRC = "00ee2daa"


@pytest.fixture
def browser(program: Callable[[str], str], tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(program("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with (
        running([sys.executable, str(SITE), str(port)], port, log=tmp_path / "site.log"),
        balanced(port, tmp_path) as at,
    ):
        yield f"http://127.0.0.1:{at}/"


@pytest.fixture
def gigabyte(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "gigabyte"
    with path.open("wb") as file:
        file.writelines(BLOCK for _ in range(1024))
    yield path
    path.unlink()


def test_a_page_that_tries_everything(browser: webdriver.Chrome, site: str, gigabyte: Path) -> None:
    browser.get(site)
    browser.find_element(By.TAG_NAME, "input").send_keys(str(gigabyte))
    WebDriverWait(browser, 100).until(lambda page: page.title == "done")
    results = json.loads(browser.find_element(By.ID, "result").text)
    assert results == {
        "assets": 1225,
        "echo": [1, 125, 70000, 300000, True],
        "events": "0 1 2 3 4",
        "upload": GIGABYTE_CRC,
        "download": [1 << 30, 0],
    }
    assert browser.get_log("browser") == []
