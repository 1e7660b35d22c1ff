"""The programs: the rest needs namespaces, tests/netns."""

import sys
from dataclasses import dataclass
from pathlib import Path

import trio

from hapair.admin.runtime import open_runtime_socket, serve_runtime
from hapair.lab.programs import Hapair, Keepalived, hapair, missing_peer, status_of


def test_a_peer_that_is_not_there_is_named_with_its_package() -> None:
    assert missing_peer("python3") is None
    assert missing_peer("python3", "no-such-program") == (
        "no-such-program not installed: apt-get install no-such-program"
    )


def test_the_command_is_run_by_this_very_python() -> None:
    assert hapair("up") == [sys.executable, "-m", "hapair", "up"]


def test_each_program_says_what_it_is() -> None:
    assert Hapair().versions().startswith("hapair ")
    assert (Hapair.name, Keepalived.name) == ("hapair", "keepalived")


@dataclass
class Host:
    folder: Path


async def test_a_node_is_asked_how_it_is_and_one_that_does_not_run_says_nothing(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    host = Host(tmp_path)
    assert await status_of(host) is None  # type: ignore[arg-type]
    assert not await Hapair().ready(host)  # type: ignore[arg-type]
    said = {"routers": [{"state": "Initialize"}]}
    listener = await open_runtime_socket(tmp_path / "run")
    nursery.start_soon(serve_runtime, listener, {"status": lambda: said})
    assert await status_of(host) == said  # type: ignore[arg-type]
    assert not await Hapair().ready(host)  # type: ignore[arg-type]
    said["routers"][0]["state"] = "Backup"
    assert await Hapair().ready(host)  # type: ignore[arg-type]
