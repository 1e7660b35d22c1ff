"""The command line: its verbs, and that each pays only for itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import hapair
from hapair.cli import main

VERBS = sorted(
    path.stem
    for path in (Path(hapair.__file__).parent / "commands").glob("*.py")
    if path.stem not in ("__init__", "conversation", "options", "watching")
)


def test_every_module_of_a_verb_is_a_verb_and_is_listed() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    listed = result.stdout.partition("Commands:\n")[2]
    assert re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE) == VERBS
    assert {"check", "demo", "status", "up"} <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_help(verb: str) -> None:
    result = CliRunner().invoke(main, [verb, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: main {verb} ")


def test_wrong_usage_exits_with_2() -> None:
    result = CliRunner().invoke(main, ["staus"])
    assert result.exit_code == 2
    assert "No such command 'staus'" in result.stderr


def test_the_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert hapair.__version__ in result.stdout


def test_help_loads_no_verb() -> None:
    code = "import sys; sys.argv = ['hapair', '--help']\nfrom hapair.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stderr.split()) & {"pydantic", "rich", "trio", "yaml", "pyroute2", "scapy"} == set()
