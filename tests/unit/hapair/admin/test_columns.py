"""How HAProxy describes its columns."""

import pytest

from hapair.admin.columns import COLUMNS, DESCRIPTIONS, tags_in_words


@pytest.mark.parametrize(("tags", "words"), [
    ("KNS", ("Key", "Name", "Service")),
    ("MaP", ("Metric", "Avg", "Process")),
    ("CLP", ("Config", "Limit", "Process")),
])  # fmt: skip
def test_three_letters_in_words(tags: str, words: tuple[str, str, str]) -> None:
    assert tuple(tags_in_words(tags).values()) == words


def test_every_column_but_the_last_is_described() -> None:
    described = [name for name in COLUMNS if all(DESCRIPTIONS[name])]
    assert described == list(COLUMNS[:-1])
    for name in described:
        tags_in_words(DESCRIPTIONS[name][0])
