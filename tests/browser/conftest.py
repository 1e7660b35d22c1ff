"""A real browser, and what its tests keep for people to look at."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
AXE = ROOT / ".venv" / "axe-core" / "axe.min.js"
"""Fetched by tests/peers.sh."""
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)

Open = Callable[..., webdriver.Chrome]


@pytest.fixture
def browser(program: Callable[[str], str], tmp_path: Path) -> Iterator[Open]:
    """Opens a browser, with more flags than usual."""
    with contextlib.ExitStack() as opened:

        def start(*further: str) -> webdriver.Chrome:
            options = webdriver.ChromeOptions()
            options.binary_location = program("chromium")
            for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *further):
                options.add_argument(flag)
            options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
            driver = webdriver.Chrome(options, webdriver.ChromeService(program("chromedriver")))
            opened.callback(driver.quit)
            return driver

        yield start


def key_digest(certificate: Path) -> str:
    """How a browser is told which public key to take for good: SHA-256 in base64."""
    command = "openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER | openssl sha256 -binary | base64"
    with certificate.open("rb") as pem:
        return subprocess.run(command, shell=True, stdin=pem, check=True, capture_output=True).stdout.decode().strip()
