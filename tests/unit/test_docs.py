"""What README, ARCHITECTURE and docs/ show exists: commands with their options, files, links, modules, dependencies."""

import ast
import re
import shlex
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import metadata
from itertools import chain
from pathlib import Path

import click
import pytest

from hapair.cli import main
from hapair.config import load_text

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
PACKAGES = ("hapair", "vrrp", "balancer")
FOLDERS = (*PACKAGES, "deploy", "docs", "examples", "tests", "benchmarks")

SYSTEM_PROGRAMS = {"curl", "ip", "journalctl", "systemctl", "tcpdump", "while", "hostname", "python3"}
"""What a Debian machine has; their options are not ours to check."""

BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED_PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./*-]*[\w/*]")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def everywhere(find: re.Pattern[str]) -> list:
    """A pytest parameter for each match on each page."""
    return [
        pytest.param(page, found, id=f"{page.name}-{found}")
        for page in PAGES
        for found in dict.fromkeys(find.findall(text_of(page)))
    ]


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for found, body in BLOCK.findall(text_of(page)):
            if found == language:
                yield page, textwrap.dedent(body)


def commands() -> list:
    lines = [(page, line) for page, body in blocks("sh") for line in body.splitlines() if line]
    return [pytest.param(line, id=f"{page.name}-{line[:50]}") for page, line in lines]


@pytest.mark.parametrize("line", commands())
def test_a_command_is_one_that_exists(line):
    words = shlex.split(line)
    if words[0] == "sudo":
        words = words[1:]
    match words:
        case ["hapair", verb, *arguments]:
            accept(verb, arguments)
        case ["make", target, *variables]:
            assert target in make_targets()
            for variable in variables:
                accept_make_variable(target, variable)
        case ["sh", script]:
            assert (ROOT / script).is_file()
        case ["systemctl", *_, unit]:
            assert (ROOT / "deploy" / f"{unit}.service").is_file()
        case [program, *_]:
            assert program in SYSTEM_PROGRAMS


def accept(verb: str, arguments: list[str]) -> None:
    """Let click take the arguments as it would, short of running anything."""
    command = main.get_command(click.Context(main), verb)
    assert command is not None, f"there is no hapair {verb}"
    command.make_context(verb, list(arguments))


def accept_make_variable(target: str, variable: str) -> None:
    name, _, value = variable.partition("=")
    assert name == "ARGS"
    if target == "demo":
        accept("demo", shlex.split(value))
    elif target == "benchmark":
        known = set(re.findall(r'"(--\w+)"', (ROOT / "benchmarks" / "harness.py").read_text()))
        assert set(re.findall(r"--\w+", value)) <= known


def make_targets() -> set[str]:
    return set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("target", sorted(make_targets()))
def test_a_make_target_is_described_at_the_top_of_the_makefile_or_in_a_page(target):
    described = [text_of(page) for page in PAGES] + [(ROOT / "Makefile").read_text().partition(".SILENT")[0]]
    assert any(f"make {target}" in text for text in described) or target in ("lint", "clean")


@pytest.mark.parametrize("body", [pytest.param(body, id=page.name) for page, body in blocks("yaml")])
def test_a_file_that_is_shown_holds_together(body):
    assert list(load_text(body).warnings) == []


@pytest.mark.parametrize(("page", "link"), everywhere(LINK))
def test_a_link_leads_somewhere(page, link):
    name, _, anchor = link.partition("#")
    assert not name.startswith(("http:", "https:")), "these pages are to be read where they lie"
    target = page.parent / name if name else page
    assert target.exists()
    if anchor:
        assert anchor in anchors(target)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "path"), everywhere(NAMED_PATH))
def test_a_path_that_is_named_exists(page, path):
    assert list(ROOT.glob(path.rstrip("/"))), path


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "LICENSE", "CHANGELOG.md"])
def test_a_file_of_the_root_that_readme_names_exists(name):
    assert name in text_of(ROOT / "README.md")
    assert (ROOT / name).is_file()


def modules_on_map() -> dict[str, list[str]]:
    """ARCHITECTURE's "Where things are": for each package the modules and folders that stand at the start of a line."""
    map_text = text_of(ROOT / "ARCHITECTURE.md").partition("## Where things are")[2]
    found: dict[str, list[str]] = {}
    package = ""
    for line in BLOCK.search(map_text)[2].splitlines():
        if line.rstrip("/") in PACKAGES:
            package = line.rstrip("/")
        else:
            found.setdefault(package, []).extend(line.strip().partition("  ")[0].split())
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_shows_every_module_and_no_other(package):
    modules = [path.name for path in (ROOT / package).glob("[!_]*.py")]
    folders = [f"{path.parent.name}/" for path in (ROOT / package).glob("*/__init__.py")]
    assert sorted(modules_on_map()[package]) == sorted(modules + folders)


def test_readme_lists_every_verb():
    listed = re.findall(r"^\| `hapair (\w+)` \|", text_of(ROOT / "README.md"), re.MULTILINE)
    assert listed == main.list_commands(click.Context(main))


def dependencies_in_readme() -> dict[str, tuple[str, set[str]]]:
    """Package to licence and to who imports it."""
    table = text_of(ROOT / "README.md").partition("| package | why |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    return {name: (licence, set(importers.split(", "))) for name, _, licence, importers in rows}


def test_readme_gives_a_reason_for_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    declared = {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}
    assert set(dependencies_in_readme()) == declared


@pytest.mark.parametrize("name", sorted(dependencies_in_readme()))
def test_readme_tells_the_licence_that_the_package_tells(name):
    told = metadata(name)
    assert dependencies_in_readme()[name][0] == (told.get("License-Expression") or told.get("License"))


def imported_by(*starts: str) -> set[str]:
    """Every module outside our packages that importing these leads to; imports inside functions do not count."""
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name in seen or not name:
            continue
        seen.add(name)
        if name.partition(".")[0] in PACKAGES:
            waiting += [name.rpartition(".")[0], *imports_of(name)]
    return {name.partition(".")[0] for name in seen} - set(PACKAGES) - sys.stdlib_module_names


@cache
def imports_of(name: str) -> list[str]:
    path = ROOT / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.is_file():
        return []  # a name inside a module
    found = []
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Import):
            found += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            found += [statement.module, *(f"{statement.module}.{alias.name}" for alias in statement.names)]
    return found


PROCESSES = {
    "node": ["hapair.cli", "hapair.commands.up"],
    "announcer": ["hapair.announcer"],
    "worker": ["hapair.worker"],
    "command line": ["hapair.cli"]
    + [f"hapair.commands.{path.stem}" for path in (ROOT / "hapair/commands").glob("[!_]*.py") if path.stem != "up"],
}
MODULES = {"pyyaml": "yaml"}


@pytest.mark.parametrize("process", PROCESSES)
def test_readme_tells_who_imports_what(process):
    told = {MODULES.get(name, name) for name, (_, who) in dependencies_in_readme().items() if process in who}
    assert imported_by(*PROCESSES[process]) == told
