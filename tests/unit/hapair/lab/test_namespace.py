"""What is done from inside another namespace; entering one needs privileges: tests/netns/test_lab.py."""

from pathlib import Path

import pytest

from hapair.lab.namespace import run_in


def test_a_namespace_that_is_not_there_is_an_error_here() -> None:
    with pytest.raises(FileNotFoundError):
        run_in(Path("/proc/self/ns/no-such"), lambda: None)


def test_what_is_no_namespace_is_refused_by_the_kernel(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(OSError, match="Invalid argument"):
        run_in(file, lambda: None)
