"""The rules of a handover go to nft, whose words come back; rules that stay are logged."""

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


async def test_one_that_hangs_is_ended_before_a_handover_takes_long(
    tool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "LIMIT_S", 0.05)
    script(tool, "read -r line; exec /bin/sleep 60")
    assert await forwarding.install("") == "nft did not end within 0 s"


async def test_without_nft_nothing_can_have_been_left(tool: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert await forwarding.install("") == "there is no nft on this machine (apt install nftables)"
    await forwarding.uninstall()
    assert caplog.records == []


async def test_rules_that_stay_are_logged(tool: Path, caplog: pytest.LogCaptureFixture) -> None:
    script(tool, "exit 4")
    with caplog.at_level(logging.WARNING):
        await forwarding.uninstall()
    assert [(one.message, one.reason) for one in caplog.records] == [  # type: ignore[attr-defined]
        ("handover rules were not removed", "nft refuses: exit status 4")
    ]
