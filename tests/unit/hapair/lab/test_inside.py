"""The lab's first process, as far as it goes outside: it reaps others' children and knows its own program's end."""

import subprocess
import sys

import pytest

CODE = """
import os, subprocess, sys
from hapair.lab.inside import _reap_until
other = subprocess.Popen(["true"])
program = subprocess.Popen(["sh", "-c", sys.argv[1]])
sys.exit(_reap_until(program.pid))
"""


@pytest.mark.parametrize(("script", "status"), [("exit 5", 5), ("kill -TERM $$", 143)])
def test_the_programs_status_is_the_labs(script: str, status: int) -> None:
    assert subprocess.run([sys.executable, "-c", CODE, script], check=False, timeout=60).returncode == status
