"""Epochs never go backwards."""

import stat

import pytest

from hapair.epoch import FILE, next_epoch

BEFORE_THIS_WAS_WRITTEN = 1_700_000_000


def test_it_is_the_date(tmp_path):
    assert next_epoch(tmp_path) > BEFORE_THIS_WAS_WRITTEN


def test_each_is_higher_than_the_one_before(tmp_path):
    first, second, third = (next_epoch(tmp_path) for _ in range(3))
    assert first < second < third


def test_a_clock_that_was_set_back_does_not_count(tmp_path):
    (tmp_path / FILE).write_text("99999999999\n")
    assert next_epoch(tmp_path) == 100_000_000_000
    assert (tmp_path / FILE).read_text() == "100000000000\n"


@pytest.mark.parametrize("text", ["", "yesterday", "-5", "9" * 30, "٣"])
def test_what_cannot_be_read_is_passed_over(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    assert BEFORE_THIS_WAS_WRITTEN < next_epoch(tmp_path) < 99_999_999_999


def test_without_a_folder_the_clock_must_do(tmp_path, caplog):
    assert next_epoch(tmp_path / "missing") > BEFORE_THIS_WAS_WRITTEN
    assert "epoch not remembered" in caplog.text


def test_nobody_else_needs_it(tmp_path):
    next_epoch(tmp_path)
    assert stat.S_ISREG((tmp_path / FILE).stat().st_mode)
