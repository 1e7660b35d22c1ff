"""The stats page's modules by themselves, under Node.js."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
ASSETS = HERE.parents[1] / "hapair" / "admin" / "assets"


def test_modules_that_touch_no_document(program: Callable[[str], str], tmp_path: Path) -> None:
    node = program("node")
    for module in ASSETS.glob("*.js"):
        shutil.copy(module, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')  # what a browser knows from the tag
    command = [node, "--test", str(HERE / "modules.test.mjs")]
    run = subprocess.run(
        command, env=os.environ | {"ASSETS": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "# tests 11" in run.stdout
