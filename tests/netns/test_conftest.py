"""Tests in labs run beside each other unless they are to be alone, and leave nothing to the next ones."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.slow]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HEAD = """\
import pytest, trio
from pathlib import Path

HERE = Path(__file__).parent

async def until(name):
    with trio.fail_after(40):
        while not (HERE / name).exists():
            await trio.sleep(0.05)
"""
FIRST = f"""{HEAD}
def test_here():
    pass

@pytest.mark.alone
async def test_alone(lab):
    assert sorted(one.name for one in HERE.glob("*.ended")) == ["one.ended", "other.ended"]

async def test_one(lab):
    (HERE / "one").touch()
    await until("other")
    (HERE / "one.ended").touch()

async def test_other(lab):
    (HERE / "other").touch()
    await until("one")
    (HERE / "other.ended").touch()
"""
SECOND = """\
def test_elsewhere():
    pass
"""
FAILS = f"""{HEAD}
async def test_that_fails(lab):
    await until("begun")
    raise ValueError("this is why")

async def test_ahead(lab):
    (HERE / "begun").touch()
    await trio.sleep(80)
"""


def run(folder, files, *options):
    """What pytest says of tests in a folder with this conftest."""
    (folder / "conftest.py").write_bytes((HERE / "conftest.py").read_bytes())
    for name, text in files.items():
        (folder / name).write_text(text)
    where = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *where, *options, str(folder)]
    environment = {**os.environ, "HAPAIR_LABS_AT_ONCE": "2"}
    return subprocess.run(command, capture_output=True, text=True, timeout=70, cwd=ROOT, env=environment)


def test_two_beside_each_other_one_alone_and_its_module_is_torn_down_before_the_next_one(tmp_path):
    done = run(tmp_path, {"test_first.py": FIRST, "test_second.py": SECOND})
    assert "5 passed" in done.stdout, done.stdout
    assert done.returncode == 0
    assert re.findall(r"::(\w+) PASSED ", done.stdout) == [
        "test_one",
        "test_other",
        "test_here",
        "test_alone",
        "test_elsewhere",
    ]


def test_nobody_waits_for_what_was_started_ahead_of_a_failure_that_is_the_end(tmp_path):
    done = run(tmp_path, {"test_fails.py": FAILS}, "-x")
    assert "this is why" in done.stdout, done.stdout
    assert "1 failed" in done.stdout
