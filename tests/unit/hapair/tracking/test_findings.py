"""What an exit status, a file, a pool say."""

import pytest

from hapair.tracking.findings import of_file, of_pool, of_script
from hapair.tracking.watch import Finding
from vrrp.tracking import Tracked, standing


def test_a_script_says_more_in_its_first_line() -> None:
    assert of_script(ok=True, how="exited with status 0", output="") == Finding(True, "exited with status 0")
    assert of_script(ok=False, how="exited with status 2", output="no answer") == Finding(
        False, "exited with status 2: no answer"
    )


@pytest.mark.parametrize(
    ("expect", "content", "passed", "reason"),
    [
        ("present", b"", True, "the file is there"),
        ("present", None, False, "the file is not there"),
        ("absent", b"anything", False, "the file is there"),
        ("absent", None, True, "the file is not there"),
    ],
)
def test_a_file_is_there_or_not(expect: str, content: bytes | None, passed: bool, reason: str) -> None:
    assert of_file(expect, content) == Finding(passed, reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"20\n", Finding(True, "the file says 20", weight=20)),
        (b"+20", Finding(True, "the file says 20", weight=20)),
        (b"-20 \n", Finding(False, "the file says -20", weight=-20)),
        (b"0\n", Finding(True, "the file says 0", weight=0)),
        (b"-253", Finding(False, "the file says -253", weight=-253)),
        (b"-254", Finding(False, "the file says -254", is_gate=True)),
        (b"-9999", Finding(False, "the file says -254", is_gate=True)),
        (b"9999", Finding(True, "the file says 254", weight=254)),
        (b"", Finding(True, "the file holds no number", weight=0)),
        (b" \n", Finding(True, "the file holds no number", weight=0)),
        (None, Finding(True, "the file holds no number", weight=0)),
        (b"x", Finding(False, "the file holds something else than one whole number", is_gate=True)),
        (b"1 2", Finding(False, "the file holds something else than one whole number", is_gate=True)),
        (b"1_0", Finding(False, "the file holds something else than one whole number", is_gate=True)),
        ("\u0663".encode(), Finding(False, "the file holds something else than one whole number", is_gate=True)),
    ],
)
def test_a_file_holds_a_number(content: bytes | None, finding: Finding) -> None:
    assert of_file("number", content) == finding


@pytest.mark.parametrize(("number", "priority"), [(b"20", 120), (b"-20", 80), (b"0", 100), (b"", 100), (b"-200", 1)])
def test_the_number_is_added_to_the_priority(number: bytes, priority: int) -> None:
    finding = of_file("number", number)
    tracked = Tracked("file load", finding.passed, finding.reason, finding.weight)
    assert standing(100, [tracked]).priority == priority


def test_a_pool_needs_some_servers() -> None:
    assert of_pool([True, False, True], at_least=2) == Finding(True, "2 of 3 servers UP")
    assert of_pool([True, False], at_least=2) == Finding(False, "1 of 2 servers UP")
