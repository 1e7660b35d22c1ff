"""The rows of HAProxy's statistics as CSV, as JSON and as typed lines. Pure."""

import json
from collections.abc import Iterable
from typing import Any, Final

from hapair.admin.columns import COLUMNS, DESCRIPTIONS, tags_in_words
from hapair.admin.haproxy_rows import TYPE_BACKEND, TYPE_FRONTEND, TYPE_SERVER, Row

_LETTERS: Final = {TYPE_FRONTEND: "F", TYPE_BACKEND: "B", TYPE_SERVER: "S"}
_OBJECTS: Final = {TYPE_FRONTEND: "Frontend", TYPE_BACKEND: "Backend", TYPE_SERVER: "Server"}
_END: Final = len(COLUMNS) - 1
_NEEDS_QUOTES: Final = frozenset('",\n\r')


def csv(rows: Iterable[Row]) -> str:
    """A header that begins with `# `, a line for each row, and a comma at the end of each line."""
    lines = [f"# {','.join(COLUMNS)},"]
    lines += [f"{','.join(_cell(row.get(name)) for name in COLUMNS[:_END])},-," for row in rows]
    return "".join(f"{line}\n" for line in lines)


def _cell(value: int | str | None) -> str:
    if value is None:
        return ""
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.intersection(text) else text


def typed(rows: Iterable[Row]) -> str:
    """A line for each value: `S.3.1.4.scur.1:MGP:u32:2`; a line of its own ends each row but where nothing follows."""
    return "".join(f"{line}\n" for row in rows for line in _typed_row(row))


def _typed_row(row: Row) -> Iterable[str]:
    begin = f"{_LETTERS[_whole(row, 'type')]}.{row['iid']}.{row['sid']}"
    for place, name in enumerate(COLUMNS[:_END]):
        value = row.get(name)
        if value is not None:
            tags, kind = DESCRIPTIONS[name]
            yield f"{begin}.{place}.{name}.1:{tags}:{kind}:{_one_line(value)}"


def _one_line(value: int | str) -> str:
    return str(value).replace("\n", " ")


def _whole(row: Row, column: str) -> int:
    value = row[column]
    assert isinstance(value, int)
    return value


def to_json(rows: Iterable[Row]) -> str:
    """A list of rows, each a list of described values."""
    return json.dumps([_json_row(row) for row in rows], separators=(",", ":"))


def _json_row(row: Row) -> list[dict[str, Any]]:
    of = {"objType": _OBJECTS[_whole(row, "type")], "proxyId": row["iid"], "id": row["sid"]}
    return [
        of | described(place, name, *DESCRIPTIONS[name], value)
        for place, name in enumerate(COLUMNS[:_END])
        if (value := row.get(name)) is not None
    ]


def described(place: int, name: str, tags: str, kind: str, value: int | str) -> dict[str, Any]:
    """One value and what it is."""
    return {
        "field": {"pos": place, "name": name},
        "processNum": 1,
        "tags": tags_in_words(tags),
        "value": {"type": kind, "value": value},
    }
