"""The Linux seams against a real kernel, each scenario of the folder `seams` in a network namespace of its own.

A scenario is a function `ns_...(lan)`; its file is run as a program under `unshare`, as root or in a user namespace.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SEAMS = Path(__file__).parent / "seams"
SCENARIOS = [
    (file.stem, name)
    for file in sorted(SEAMS.glob("*.py"))
    for name in re.findall(r"^def (ns_\w+)", file.read_text(), re.MULTILINE)
]


def unshare():
    """The command that makes a namespace here, or None."""
    commands = [["unshare", "-n"], ["unshare", "-Urn"]] if os.geteuid() == 0 else [["unshare", "-Urn"]]
    for command in commands:
        if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    return None


def test_there_are_scenarios():
    assert len(SCENARIOS) >= 40


@pytest.mark.netns
@pytest.mark.parametrize(("file", "scenario"), SCENARIOS)
def test_in_a_namespace(file, scenario):
    command = unshare()
    if command is None:
        reason = "no network namespaces here: needs root, or an ordinary user who may use `unshare -Urn`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    done = subprocess.run(
        [*command, sys.executable, "-W", "error", str(SEAMS / f"{file}.py"), scenario],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
