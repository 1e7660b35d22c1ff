"""YAML text to plain values that remember where they stood. Pure.

YAML 1.1 reads `yes` as true, `010` as 8, `12:30` as 750 and keeps the last of two equal keys in silence. Here a plain
scalar is a boolean, a decimal number, null or text; whatever YAML 1.1 would have read otherwise is an error that says
how to write what was meant.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from hapair.config.errors import Position, Problem
from hapair.config.yaml_errors import Complaint, explained

Path = tuple[str | int, ...]

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # some 32-bit builds come without the C loader
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
DEPTH_LIMIT = 32
VALUE_LIMIT = 20_000  # aliases of aliases multiply: nine short lines can stand for a billion values
_AMBIGUOUS_WORD = re.compile(r"(?:yes|no|on|off|y|n|true|false|null)", re.IGNORECASE)
_AMBIGUOUS_NUMBER = re.compile(
    r"[-+]?(?:0[0-9_]+|0[xXbBoO][0-9a-fA-F_]+|[0-9][0-9_]*_[0-9_]*|[0-9]+(?::[0-5]?[0-9])+(?:\.[0-9]*)?"
    r"|[0-9.]+[eE][-+]?[0-9]+|\+[0-9.]+|\.[0-9]+|[0-9]+\.|\.(?:inf|Inf|INF|nan|NaN|NAN)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*)"
)


@dataclass(slots=True)
class Tree:
    """A decoded document: the value, and where each value and each key stands."""

    value: Any = None
    values: dict[Path, Position] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    is_too_large: bool = False
    unclear: set[Path] = field(default_factory=set)
    """Scalars that are in `problems`: whatever else could be said of their values would be a guess."""

    def find(self, path: Sequence[str | int]) -> tuple[Path, Position]:
        """The longest part of `path` that stands in the file, and where: at its key if it has one."""
        for end in range(len(path), -1, -1):
            part = tuple(path[:end])
            if part in self.keys or part in self.values:
                return part, self.keys.get(part) or self.values[part]
        return (), Position(1, 1)

    def children(self, *path: str) -> Iterator[tuple[str, Any]]:
        """The entries of the table at `path`, or nothing where there is no table."""
        value = self.at(*path)
        if isinstance(value, dict):
            yield from value.items()

    def at(self, *path: str | int) -> Any:
        """The value at `path`, or None."""
        value = self.value
        for step in path:
            if isinstance(step, str) and isinstance(value, dict):
                value = value.get(step)
            elif isinstance(step, int) and isinstance(value, list) and step < len(value):
                value = value[step]
            else:
                return None
        return value


def dotted(path: Sequence[str | int]) -> str:
    """frontends.web.routes[0].pool"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def problem_at(tree: Tree, path: Path, message: str) -> Problem:
    """What is wrong with what stands at `path`."""
    _, position = tree.find(path)
    return Problem(position, dotted(path), message)


def parse(text: str) -> Tree:
    """The tree of a document; what is wrong with it as YAML stands in `problems`."""
    tree = Tree()
    try:
        if (deep := _too_deep(text)) is not None:
            tree.problems.append(Problem(deep, "", f"nested more than {DEPTH_LIMIT} levels deep"))
            return tree
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        position, words = explained(text, _complaint(error))
        tree.problems.append(Problem(position, "", f"not YAML: {words}"))
        return tree
    except yaml.reader.ReaderError as error:
        tree.problems.append(Problem(Position(1, 1), "", f"not YAML: {error.reason}"))
        return tree
    if node is not None:
        tree.value = _value(node, (), tree, frozenset())
    if tree.is_too_large:
        tree.value = None
        message = f"its aliases make more than {VALUE_LIMIT} values, or more than {DEPTH_LIMIT} levels"
        tree.problems = [Problem(Position(1, 1), "", message)]
    elif tree.value is None and not tree.problems:
        tree.problems.append(Problem(Position(1, 1), "", "the file is empty; `hapair schema` says what it can hold"))
    return tree


def _complaint(error: yaml.MarkedYAMLError) -> Complaint:
    at, opened = error.problem_mark or error.context_mark, error.context_mark
    return Complaint(
        problem=error.problem or "",
        context=error.context or "",
        at=(0, 0) if at is None else (at.line, at.column),
        opened=None if opened is None else (opened.line, opened.column),
    )


def _too_deep(text: str) -> Position | None:
    """Where nesting passes DEPTH_LIMIT. Asked first: building the nodes recurses in C, and overruns the stack there."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH_LIMIT:
                return _position(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _value(node: Any, path: Path, tree: Tree, above: frozenset[int]) -> Any:
    tree.values[path] = _position(node)
    if (
        tree.is_too_large or len(tree.values) > VALUE_LIMIT or len(path) > DEPTH_LIMIT
    ):  # aliases can be deeper than the text is
        tree.is_too_large = True
        return None
    if id(node) in above:
        tree.problems.append(Problem(_position(node), dotted(path), "an alias may not contain itself"))
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, tree, above | {id(node)})
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*path, i), tree, above | {id(node)}) for i, child in enumerate(node.value)]
    return _scalar(node, path, tree)


def _mapping(node: Any, path: Path, tree: Tree, above: frozenset[int]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            tree.problems.append(Problem(_position(key_node), dotted(path), "a key must be a word"))
            continue
        key = key_node.value
        here = (*path, key)
        if key in result:
            first = tree.keys[here].line
            tree.problems.append(Problem(_position(key_node), dotted(here), f"given twice; first in line {first}"))
            continue
        tree.keys[here] = _position(key_node)
        result[key] = _value(value_node, here, tree, above)
    return result


def _scalar(node: Any, path: Path, tree: Tree) -> Any:
    text: str = node.value
    if node.style in ("'", '"', "|", ">"):  # quoted or a block: text, whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _AMBIGUOUS_WORD.fullmatch(text):
        message = f'{text} is not read as a truth value; write true or false, or "{text}" in quotes for the word'
        tree.problems.append(Problem(_position(node), dotted(path), message))
        tree.unclear.add(path)
    elif _AMBIGUOUS_NUMBER.fullmatch(text):
        message = f'{text} can be read in several ways; write a plain decimal number, or "{text}" in quotes for text'
        tree.problems.append(Problem(_position(node), dotted(path), message))
        tree.unclear.add(path)
    return text


def _position(node: Any) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)
