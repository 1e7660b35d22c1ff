"""Tables come back from their file as old as they are by then."""

import json
from pathlib import Path

import pytest

from balancer.persistence.table import Entry
from hapair.persistence.store import load, save

A, B = Entry("192.0.2.1", "web1", 5, 90.0), Entry("2001:db8::", "web2", 6, 99.5)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    for _ in range(2):
        assert save(tmp_path, {"web": [A, B]}, now=100.0, date_s=1e9)
    [file] = tmp_path.iterdir()
    assert file.name == "sources.json"
    assert file.stat().st_mode & 0o777 == 0o600
    found = load(tmp_path, now=20.0, date_s=1e9 + 30)
    assert found == {"web": [Entry("192.0.2.1", "web1", 5, -20.0), Entry("2001:db8::", "web2", 6, -10.5)]}


def test_a_clock_that_went_back_makes_nothing_younger(tmp_path: Path) -> None:
    save(tmp_path, {"web": [A]}, now=100.0, date_s=1e9)
    assert load(tmp_path, now=20.0, date_s=5.0) == {"web": [Entry("192.0.2.1", "web1", 5, 10.0)]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        json.dumps({"saved_at": "x", "tables": {}}),
        json.dumps({"saved_at": 1, "tables": []}),
        json.dumps({"saved_at": 1, "tables": {"web": [["a", "b", 1]]}}),
        json.dumps({"saved_at": 1, "tables": {"web": [["a", "b", "c", 1]]}}),
        json.dumps({"saved_at": 1, "tables": {"web": [["a", "b", True, 1]]}}),
        json.dumps({"saved_at": 1, "tables": {"web": [[1, "b", 1, 1]]}}),
        json.dumps({"saved_at": 1, "tables": {"web": 7}}),
        "[" * 100_000,
    ],
)
def test_what_makes_no_sense_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "sources.json").write_text(text)
    assert load(tmp_path, now=1.0, date_s=1.0) == {}


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    assert load(tmp_path, now=1.0, date_s=1.0) == {}
    assert not save(tmp_path / "nowhere", {}, now=1.0, date_s=1.0)
    (tmp_path / "sources.json").symlink_to("/etc/hostname")
    assert load(tmp_path, now=1.0, date_s=1.0) == {}
