"""nft in a child process: done, refused, missing, stuck."""

import logging
from pathlib import Path

import pytest

from hapair.handover import forwarding


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program named `nft` is found; none is there at first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "nft"


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def log_of(tool: Path) -> str:
    return Path(f"{tool}.log").read_text()


async def test_the_rules_go_to_nft_in_one_transaction(tool: Path) -> None:
    script(tool, f'echo "$@" >{tool}.log; while read -r line; do echo "$line" >>{tool}.log; done')
    assert await forwarding.install("table one\ntable two\n") is None
    assert log_of(tool) == "-f -\ntable one\ntable two\n"


async def test_a_refusal_is_told_in_its_own_words(tool: Path) -> None:
    script(tool, "echo 'Error: Operation not permitted' >&2; echo more >&2; exit 1")
    assert await forwarding.install("") == "nft refuses: Error: Operation not permitted"
    script(tool, "exit 4")
    assert await forwarding.install("") == "nft refuses: exit status 4"


async def test_without_nft_the_words_say_how_to_get_it(tool: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert await forwarding.install("") == "there is no nft on this machine (apt install nftables)"
    await forwarding.uninstall()
    assert caplog.records == []


async def test_one_that_hangs_is_ended(tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "LIMIT_S", 0.05)
    script(tool, "read -r line; exec /bin/sleep 60")
    assert await forwarding.install("") == "nft did not end within 0 s"


async def test_rules_that_stay_are_logged(tool: Path, caplog: pytest.LogCaptureFixture) -> None:
    script(tool, "exit 4")
    with caplog.at_level(logging.WARNING):
        await forwarding.uninstall()
    assert [(one.message, one.reason) for one in caplog.records] == [  # type: ignore[attr-defined]
        ("handover rules were not removed", "nft refuses: exit status 4")
    ]
