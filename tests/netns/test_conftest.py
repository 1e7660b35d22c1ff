"""A test that runs in a lab leaves nothing of its module to the next one."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.slow]

HERE = Path(__file__).parent
FIRST = """\
def test_here():
    pass

async def test_in_a_lab(lab):
    pass
"""
SECOND = """\
def test_elsewhere():
    pass
"""


def test_a_module_that_ends_in_a_lab_is_torn_down_before_the_next_one(tmp_path):
    (tmp_path / "conftest.py").write_bytes((HERE / "conftest.py").read_bytes())
    (tmp_path / "test_first.py").write_text(FIRST)
    (tmp_path / "test_second.py").write_text(SECOND)
    where = ["-c", str(HERE.parents[1] / "pyproject.toml"), "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *where, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=HERE.parents[1])
    assert "3 passed" in done.stdout, done.stdout
    assert done.returncode == 0
