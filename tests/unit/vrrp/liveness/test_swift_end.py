import subprocess
import sys

CODE = """
import os, signal, sys, time
from pathlib import Path
from vrrp.liveness.swift_end import prepare_swift_end
before = sorted(os.listdir("/proc/self/fd"))
assert prepare_swift_end()
tasks = sorted(map(int, os.listdir("/proc/self/task")))
assert len(tasks) == 2, tasks
sleeper = Path("/proc/self/task", str(tasks[1]))
assert os.listdir(sleeper / "fd") == []
assert sorted(os.listdir("/proc/self/fd")) == before
blocked = next(line for line in (sleeper / "status").read_text().splitlines() if line.startswith("SigBlk"))
assert int(blocked.split()[1], 16) >> signal.SIGTERM - 1 & 1
print("still writing", flush=True)
"""


def test_one_thread_without_descriptors_and_without_signals():
    done = subprocess.run([sys.executable, "-W", "error", "-c", CODE], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr, done.returncode) == ("still writing\n", "", 0)
