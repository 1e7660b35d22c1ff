"""nft in a child process: done, refused, missing, stuck; what it prints."""

from pathlib import Path

import pytest

from balancer.kernel import nft
from balancer.kernel.services import Count


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
    assert await nft.install("table one\ntable two\n") is None
    assert log_of(tool) == "-f -\ntable one\ntable two\n"


async def test_a_refusal_is_told_in_its_own_words(tool: Path) -> None:
    script(tool, "echo 'Error: Operation not permitted' >&2; echo more >&2; exit 1")
    assert await nft.install("") == "nft refuses: Error: Operation not permitted"
    script(tool, "exit 4")
    assert await nft.install("") == "nft refuses: exit status 4"
    assert await nft.counters() is None


async def test_without_nft_the_words_say_how_to_get_it(tool: Path) -> None:
    assert await nft.install("") == "there is no nft on this machine (apt install nftables)"
    assert await nft.counters() is None
    assert await nft.ruleset() is None


async def test_one_that_hangs_is_ended(tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft, "LIMIT_S", 0.05)
    script(tool, "exec /bin/sleep 60")
    assert await nft.install("") == "nft did not end within 0 s"


async def test_a_kernel_that_cannot_change_what_leaves(tool: Path) -> None:
    assert not await nft.knows_egress()
    script(tool, f'[ "$1" = -c ] && while read -r line; do echo "$line" >>{tool}.log; done')
    assert await nft.knows_egress()
    assert "hook egress" in log_of(tool)
    script(tool, "exit 1")
    assert not await nft.knows_egress()


async def test_a_kernel_that_cannot_shake_hands(tool: Path) -> None:
    script(tool, f'[ "$1" = -c ] && while read -r line; do echo "$line" >>{tool}.log; done')
    assert await nft.knows_synproxy()
    assert "synproxy mss 1460" in log_of(tool)
    script(tool, "exit 1")
    assert not await nft.knows_synproxy()


async def test_counters_by_name(tool: Path) -> None:
    listed = (
        '{"nftables": [{"metainfo": {"version": "1.0.6", "json_schema_version": 1}}, {"counter": {"family": "inet", '
        '"name": "f0_in", "table": "hapair", "handle": 2, "packets": 3, "bytes": 180}}]}'
    )
    script(tool, f"[ \"$*\" = '-j list counters' ] && echo '{listed}'")
    assert await nft.counters() == {"f0_in": Count(packets=3, bytes=180)}
