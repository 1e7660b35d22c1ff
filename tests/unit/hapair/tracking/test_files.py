"""Looks at files: what is there, what is not, what cannot be read, what hangs."""

import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hapair.config.tracks import TrackedFile
from hapair.tracking import files
from hapair.tracking.files import FileReader
from hapair.tracking.watch import Finding


async def look(path: Path, expect: str = "present") -> Finding:
    return await FileReader(TrackedFile(path=str(path), expect=expect)).look()  # type: ignore[arg-type]


async def test_there_and_not_there(tmp_path: Path) -> None:
    assert await look(tmp_path / "none") == Finding(False, "the file is not there")
    (tmp_path / "some").touch()
    assert await look(tmp_path / "some") == Finding(True, "the file is there")
    assert await look(tmp_path / "some" / "below") == Finding(False, "the file is not there")
    assert await look(tmp_path / "some", "absent") == Finding(False, "the file is there")


async def test_a_number(tmp_path: Path) -> None:
    (tmp_path / "load").write_text("-30\n")
    assert await look(tmp_path / "load", "number") == Finding(False, "the file says -30", weight=-30)


async def test_a_folder_is_there_and_holds_no_number(tmp_path: Path) -> None:
    assert await look(tmp_path) == Finding(True, "the file is there")
    assert await look(tmp_path, "number") == Finding(True, "the file holds no number", weight=0)


async def test_a_fifo_does_not_hold_the_look_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert await look(tmp_path / "fifo") == Finding(True, "the file is there")


async def test_links_that_lead_in_circles(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert await look(tmp_path / "a") == Finding(False, "the file cannot be read: Too many levels of symbolic links")


async def test_a_file_system_that_hangs_is_a_failure_and_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, tmp_path: Path
) -> None:
    begun: list[TrackedFile] = []

    async def hang(look: object, tracked: TrackedFile, *, limiter: trio.CapacityLimiter, **_: object) -> None:
        async with limiter:
            begun.append(tracked)
            with trio.CancelScope(shield=True):
                await trio.sleep(10)

    monkeypatch.setattr(files.trio.to_thread, "run_sync", hang)
    reader = FileReader(TrackedFile(path=str(tmp_path)))
    found: list[Finding] = []

    async def look_once() -> None:
        found.append(await reader.look())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look_once)
        await wait_all_tasks_blocked()
        await look_once()
        assert len(begun) == 1
    assert found[0] == Finding(False, "the file system did not answer for 1 s")
