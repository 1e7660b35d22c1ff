"""What is different between two configurations, in the words of the file. Pure.

`diff` goes down tables and objects to what a person would call one setting; `apply` carries the changes out on a value,
and so shows that nothing was forgotten.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

from balancer.fieldtypes import without_unit

_SECRET: Final = frozenset({"password", "key", "url"})
"""Settings whose values are not shown."""
_LONG = 200


class _Nothing:
    """Is not there."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()
Step = str
Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One setting: what it was and what it is to be; NOTHING where it was or will not be there.

    `path` has the names of fields and the keys of tables.
    """

    path: Path
    before: Any
    after: Any

    @property
    def where(self) -> str:
        """As in the file: `frontends.web.timeouts.idle`."""
        return ".".join(_written(step) for step in self.path)

    def __str__(self) -> str:
        if self.before is NOTHING:
            return f"+ {self.where}{_value(self.path, self.after)}"
        if self.after is NOTHING:
            return f"- {self.where}"
        if self.path and self.path[-1] in _SECRET:
            return f"~ {self.where} is another"
        if isinstance(self.before, tuple | list) and isinstance(self.after, tuple | list):
            return f"~ {self.where}: {_members(self.before, self.after)}"
        return f"~ {self.where}: {_text(self.before)} -> {_text(self.after)}"


def lines(changes: Sequence[Change]) -> tuple[str, ...]:
    """For people: that something new stands between what was there is no line of its own."""
    return tuple(str(change) for change in changes if not _is_mere_place(change))


def _is_mere_place(change: Change) -> bool:
    if not change.path or change.path[-1] != "":
        return False
    before, after = change.before, change.after
    return [key for key in before if key in after] == [key for key in after if key in before]


def diff(before: Any, after: Any, path: Path = ()) -> tuple[Change, ...]:
    """The changes that make `after` of `before`, both of one type, in the order of `after`."""
    return tuple(_diff(before, after, path))


def _diff(before: Any, after: Any, path: Path) -> Iterator[Change]:
    if before == after and _order(before) == _order(after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _diff_tables(before, after, path)
    elif is_dataclass(before) and type(before) is type(after) and _is_table(before):
        for one in fields(before):
            yield from _diff(getattr(before, one.name), getattr(after, one.name), (*path, one.name))
    else:
        yield Change(path, before, after)


def _diff_tables(before: Mapping[str, Any], after: Mapping[str, Any], path: Path) -> Iterator[Change]:
    as_it_falls = [*(key for key in before if key in after), *(key for key in after if key not in before)]
    if as_it_falls != list(after):  # the order of servers matters to some policies
        yield Change((*path, ""), tuple(before), tuple(after))
    for key in before:
        if key not in after:
            yield Change((*path, key), before[key], NOTHING)
    for key, value in after.items():
        if key in before:
            yield from _diff(before[key], value, (*path, key))
        else:
            yield Change((*path, key), NOTHING, value)


def _order(value: Any) -> Any:
    """Equal tables may still be in another order."""
    if isinstance(value, Mapping):
        return [(key, _order(one)) for key, one in value.items()]
    if is_dataclass(value) and not isinstance(value, type):
        return [_order(getattr(value, one.name)) for one in fields(value)]
    return None


def _is_table(value: Any) -> bool:
    """What stands in a file as a table; the rest is one scalar there, however it is kept."""
    return hasattr(type(value), "__pydantic_config__") and not isinstance(value, type)


def apply(value: Any, changes: Sequence[Change]) -> Any:
    """The value after the changes that `diff` has found. What one object says is checked when all of it has changed."""
    for change in changes:
        if not change.path:
            return change.after
    deeper: dict[Step, list[Change]] = {}
    for change in changes:
        deeper.setdefault(change.path[0], []).append(replace(change, path=change.path[1:]))
    if not isinstance(value, Mapping):
        return replace(value, **{step: apply(getattr(value, step), inner) for step, inner in deeper.items()})
    order = deeper.pop("", None)
    table = {**value, **{step: apply(value.get(step, NOTHING), inner) for step, inner in deeper.items()}}
    table = {key: one for key, one in table.items() if one is not NOTHING}
    return table if order is None else _reordered(table, order[0].after)


def _reordered(value: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    first = {key: value[key] for key in order if key in value}
    return first | dict(value)


def _written(step: str) -> str:
    return "the order" if step == "" else without_unit(step)


def _value(path: Path, value: Any) -> str:
    if is_dataclass(value) or isinstance(value, Mapping) or (path and path[-1] in _SECRET):
        return ""
    return f": {_text(value)}"


def _members(before: Sequence[Any], after: Sequence[Any]) -> str:
    gone, new = [one for one in before if one not in after], [one for one in after if one not in before]
    if not gone and not new:
        return "in another order"
    words = [f"without {', '.join(map(_text, gone))}"] if gone else []
    return "; ".join([*words, *([f"with {', '.join(map(_text, new))}"] if new else [])])


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_dataclass(value) and _is_table(value):
        said = [(one.name, getattr(value, one.name)) for one in fields(value) if one.repr]
        text = ", ".join(f"{without_unit(name)}: {_text(one)}" for name, one in said if one or one == 0)
        return _short(f"{{{text}}}")
    if isinstance(value, Mapping):
        return _short("{" + ", ".join(f"{key}: {_text(one)}" for key, one in value.items()) + "}")
    if isinstance(value, tuple | list):
        return _short("[" + ", ".join(map(_text, value)) + "]")
    return _short(f"{value:g}" if isinstance(value, float) else str(value))


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
