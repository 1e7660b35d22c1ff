"""Reloads of a whole node under load, in a namespace of its own: nobody notices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


def test_thirty_reloads_under_load_cost_no_request_and_no_stream() -> None:
    command = [sys.executable, "-m", "benchmarks.reload", "--reloads", "30", "--connections", "30", "--streams", "10"]
    environment = {name: value for name, value in os.environ.items() if name != "HAPAIR_BENCHMARK_RELOAD"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "reloads: 30," in ended.stdout
    assert "errors: 0\n" in ended.stdout
