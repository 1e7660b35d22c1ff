"""`hapair demo` as a user runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.slow]

DEMO = [sys.executable, "-m", "hapair", "demo"]
CLEAN_UP_S = 30


def test_three_faults_three_takeovers(tmp_path):
    page = tmp_path / "page.html"
    run = subprocess.run([*DEMO, "--json", "--html", page], capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document["version"] == 1
    assert document["passed"] is True
    assert document["elapsed_s"] < 60
    assert [(fault["victim"], fault["stale_vip"], fault["recovered"]) for fault in document["faults"]] == [
        ("pi-a", False, True),
        ("pi-a", False, True),
        ("pi-a", False, True),
    ]
    assert set(document["requests"]["per_server"]) == {"web1", "web2", "web3"}
    assert set(document["requests"]["per_node"]) == {"192.168.1.11", "192.168.1.12"}
    html = page.read_text()
    for outside in ("<script", "<link", "<img", "src=", "url(", "@import", "http:", "https:"):
        assert outside not in html


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
def test_an_interrupted_demo_leaves_nothing_behind(number):
    with subprocess.Popen(DEMO, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as demo:
        try:
            assert demo.stderr is not None
            assert b"SIGKILL to every process" in demo.stderr.readline()
            family = descendants(demo.pid)
            assert len(family) >= 8  # three web servers, the peer's processes, the client, the lab's own
            demo.send_signal(number)
            demo.wait(CLEAN_UP_S)
        finally:
            demo.kill()
    assert demo.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    deadline = time.monotonic() + CLEAN_UP_S
    while (left := [pid for pid in family if runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def stat(pid):
    """State and parent of a process; None where it is gone."""
    try:
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return state, int(parent)


def runs(pid):
    found = stat(pid)
    return found is not None and found[0] not in "ZX"


def descendants(pid):
    parents = {int(name): found[1] for name in os.listdir("/proc") if name.isdigit() and (found := stat(name))}
    family, last = set(), {pid}
    while last:
        last = {child for child, parent in parents.items() if parent in last} - family
        family |= last
    return sorted(family)
