"""Every rule of VRRP that docs/vrrp.md lists has a test that is named after it, or is waived there with a reason."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "vrrp.md"
RULES = range(1, 45)

# `def test_rule_24_and_39_...`, and ids of parameters: "rule-18+28/backup/..."
NAME = re.compile(r"def test_rule_(\d+(?:_and_\d+)*)_")
ID = re.compile(r"[\"']rule-(\d+(?:\+\d+)*)(?![\d+])")


@cache
def rules_tested_in(path: Path) -> frozenset[int]:
    text = path.read_text(encoding="utf-8")
    found = [*NAME.findall(text), *ID.findall(text)]
    return frozenset(int(number) for numbers in found for number in re.findall(r"\d+", numbers))


def rows_under(heading: str) -> list[tuple[int, list[str]]]:
    """Of a table: the rule's number and the other cells, of each row that begins with a number."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")]
    return [(int(number), cells) for number, *cells in rows if number.isdecimal()]


def test_every_rule_is_tested_or_waived() -> None:
    tested = frozenset().union(
        *(rules_tested_in(path) for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    )
    waived = {number for number, _ in rows_under("Waivers")}
    assert [rule for rule in RULES if rule not in tested | waived] == []
    assert sorted(waived & tested) == [], "a rule that is tested needs no waiver"


def test_a_waiver_has_a_reason() -> None:
    assert [number for number, cells in rows_under("Waivers") if not all(cells)] == []


def test_the_page_lists_every_rule_once() -> None:
    assert [number for number, _ in rows_under("The rules")] == list(RULES)


@pytest.mark.parametrize(
    ("number", "cells"), [pytest.param(*row, id=f"rule-{row[0]}") for row in rows_under("The rules")]
)
def test_a_test_that_the_page_names_is_of_that_rule(number: int, cells: list[str]) -> None:
    paths = re.findall(r"`(tests/[\w/]+\.py)`", cells[-1])
    if number in dict(rows_under("Waivers")):
        assert cells[-1] == "[waived](#waivers)"
        return
    assert paths
    assert [path for path in paths if number not in rules_tested_in(ROOT / path)] == []


def test_numbers_are_read_from_names_and_ids(tmp_path: Path) -> None:
    page = tmp_path / "test_some.py"
    page.write_text(
        'def test_rule_24_and_39_a(): ...\nasync def test_rule_7_b(): ...\n"rule-18+28/x", "rule-3"\n"rule 5"'
    )
    assert rules_tested_in(page) == {24, 39, 7, 18, 28, 3}
