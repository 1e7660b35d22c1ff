"""The node's log files."""

import os
from pathlib import Path

import pytest

from hapair.logfiles import LogFileError, LogFiles


def test_a_file_is_opened_for_appending_and_again_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    files = LogFiles((str(path),))
    os.write(files.fds[str(path)], b"one\n")
    path.rename(tmp_path / "log.1")
    assert files.reopen() == []
    os.write(files.fds[str(path)], b"two\n")
    assert (tmp_path / "log.1").read_text() == "before\none\n"
    assert path.read_text() == "two\n"
    files.close()
    assert files.fds == {}


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(LogFileError, match="cannot be opened: No such file or directory"):
        LogFiles((str(tmp_path / "none" / "log"),))


def test_a_file_that_cannot_be_opened_again_stays_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "log"
    files = LogFiles((str(path),))
    folder.rename(tmp_path / "gone")
    (failure,) = files.reopen()
    assert "No such file or directory" in str(failure)
    os.write(files.fds[str(path)], b"one\n")
    assert (tmp_path / "gone" / "log").read_text() == "one\n"
    files.close()
