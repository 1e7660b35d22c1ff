"""Every rule of HTTP that docs/http.md lists has a test that is named after it, in the files that the page names."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "http.md"
RULES = range(1, 56)

# `def test_http_rule_29_and_40_...`, and ids of parameters: id="http-rule-18/two-lengths"
NAME = re.compile(r"def test_http_rule_(\d+(?:_and_\d+)*)_")
ID = re.compile(r"[\"']http-rule-(\d+)(?!\d)")


@cache
def rules_tested_in(path: Path) -> frozenset[int]:
    text = path.read_text(encoding="utf-8")
    found = [*NAME.findall(text), *ID.findall(text)]
    return frozenset(int(number) for numbers in found for number in re.findall(r"\d+", numbers))


def rows() -> list[tuple[int, list[str]]]:
    """The rule's number and the other cells."""
    section = PAGE.read_text(encoding="utf-8").partition("## The rules\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")]
    return [(int(number), rest) for number, *rest in cells if number.isdecimal()]


def test_the_page_lists_every_rule_once() -> None:
    assert [number for number, _ in rows()] == list(RULES)


def test_every_rule_is_tested() -> None:
    tested = frozenset().union(*(rules_tested_in(path) for path in (ROOT / "tests").rglob("test_*.py")))
    assert [rule for rule in RULES if rule not in tested] == []
    assert sorted(tested - set(RULES)) == [], "a test of a rule that the page does not know"


@pytest.mark.parametrize(("number", "cells"), [pytest.param(*row, id=f"{row[0]}") for row in rows()])
def test_a_row_is_whole_and_names_its_tests(number: int, cells: list[str]) -> None:
    about, does, decided, tested = cells
    assert about
    assert does
    modules = re.findall(r"`(balancer/[\w/]+\.py)`", decided)
    assert modules
    assert [module for module in modules if not (ROOT / module).exists()] == []
    paths = re.findall(r"`(tests/[\w/]+\.py)`", tested)
    assert paths
    assert [path for path in paths if number not in rules_tested_in(ROOT / path)] == []


def test_numbers_are_read_from_names_and_ids(tmp_path: Path) -> None:
    page = tmp_path / "test_some.py"
    page.write_text(
        'def test_http_rule_24_and_39_a(): ...\ndef test_rule_7_b(): ...\nid="http-rule-18/x", "http-rule-3"'
    )
    assert rules_tested_in(page) == {24, 39, 18, 3}
