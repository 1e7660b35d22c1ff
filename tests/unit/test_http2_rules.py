"""docs/http2.md lists every error of RFC 9113 that a client can earn; each has a test named after its row."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "http2.md"
TESTS = [
    ROOT / "tests" / "unit" / "balancer" / "http2" / "test_rules.py",
    ROOT / "tests" / "unit" / "balancer" / "relay" / "test_http2.py",
]
RULES = 63

ID = re.compile(r"http2-(\d+)/(connection|stream)/([A-Z_]+)")


def rows() -> list[tuple[int, str, str]]:
    """Number, `connection` or `stream`, and error code of each row under "The rules"."""
    section = PAGE.read_text(encoding="utf-8").partition("## The rules\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")]
    return [(int(row[0]), row[3], row[4]) for row in cells if row[0].isdecimal()]


def rules_with_tests() -> set[tuple[int, str, str]]:
    found = [match for path in TESTS for match in ID.findall(path.read_text(encoding="utf-8"))]
    return {(int(number), kind, code) for number, kind, code in found}


def test_the_page_lists_every_rule_once():
    assert [number for number, _, _ in rows()] == list(range(1, RULES + 1))


@pytest.mark.parametrize("row", [pytest.param(row, id=f"http2-{row[0]}") for row in rows()])
def test_a_rule_has_a_test_that_expects_what_the_page_says(row):
    assert {one for one in rules_with_tests() if one[0] == row[0]} == {row}


def test_no_test_is_of_a_rule_that_the_page_does_not_list():
    assert rules_with_tests() - set(rows()) == set()
