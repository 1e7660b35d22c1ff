"""From a file to its types: parse, decode, check the rules; every problem at once."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from balancer.config import files_named
from hapair.config import route_rules, rules
from hapair.config.errors import ConfigError, Position, Problem, nearest
from hapair.config.tree import Path, Tree, dotted, parse, problem_at
from hapair.config.types import HapairFile

_MESSAGES = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list, for example [first, second]",
    "dict_type": "must be a table of names and values",
    "dataclass_type": "must be a table of keys and values",
    "missing": "is missing",
}
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_PAGE_KEYS = frozenset(("body_file", "page", "maintenance", "sorry_page", "error_pages"))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file that holds together, and what is odd about it all the same."""

    path: str
    file: HapairFile
    warnings: Sequence[str]
    pages: Mapping[str, Problem] = field(default_factory=dict)
    """The files whose text answers are made of, as they are written, and where the first mention of each stands."""


@cache
def adapter() -> TypeAdapter[HapairFile]:
    """Built once; building it is most of the cost of reading a file."""
    return TypeAdapter(HapairFile)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "hapair.yaml"}
    schema: dict[str, Any] = _without_decoded_defaults(_schema())
    return schema | head


def _without_decoded_defaults(node: Any) -> Any:
    """A default such as 2.0 for what is written `2s` would have editors fill in what the file does not take."""
    if isinstance(node, list):
        return [_without_decoded_defaults(one) for one in node]
    if not isinstance(node, dict):
        return node
    wrong = node.get("type") == "string" and not isinstance(node.get("default", ""), str)
    return {key: _without_decoded_defaults(one) for key, one in node.items() if not (wrong and key == "default")}


@cache
def _schema() -> dict[str, Any]:
    return adapter().json_schema()


def load(path: str | FilePath) -> Loaded:
    """Read and check a file. Raises ConfigError, also where the file cannot be read."""
    try:
        text = FilePath(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), [Problem(Position(1, 1), "", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [Problem(Position(1, 1), "", "is not UTF-8 text")]) from error
    return load_text(text, str(path))


def load_text(text: str, path: str = "hapair.yaml") -> Loaded:
    """Check the text of a file. Raises ConfigError with everything that is wrong."""
    tree = parse(text)
    if tree.value is None:
        raise ConfigError(path, tree.problems)
    file, problems = _decode(tree)
    problems += [*tree.problems, *rules.problems_in_tree(tree)]
    if file is not None:
        problems += [*rules.problems_in_file(file, tree), *_missing_packages(file, tree)]
    if problems or file is None:
        raise ConfigError(path, problems)
    odd = [problem.render(path) for problem in sorted(route_rules.warnings(file, tree))]
    return Loaded(path, file, [*rules.warnings(file), *odd], _pages(file, tree))


def _missing_packages(file: HapairFile, tree: Tree) -> Iterator[Problem]:
    """A worker, or a running node, would find out too late."""
    for name, pool in file.pools.items() if find_spec("dns") is None else ():
        places: list[tuple[str, ...]] = [("resolve", "nameservers")] if pool.resolve.nameservers else []
        places += [("servers", one, "srv") for one, server in pool.servers.items() if server.srv is not None][:1]
        for place in places:
            message = "needs the package dnspython, which is not installed: pip install 'hapair[dns]'"
            yield problem_at(tree, ("pools", name, *place), message)
    for name, frontend in file.frontends.items():
        if frontend.http2 is not None and find_spec("h2") is None:
            message = "needs the package h2, which is not installed: pip install 'hapair[http2]'"
            yield problem_at(tree, ("frontends", name, "http2"), message)


def _pages(file: HapairFile, tree: Tree) -> dict[str, Problem]:
    named = set(files_named(file.frontends, file.pools))
    pages: dict[str, Problem] = {}
    for path, position in sorted(tree.values.items(), key=lambda entry: entry[1]) if named else ():
        name = tree.at(*path)
        if isinstance(name, str) and name in named and _PAGE_KEYS & {str(step) for step in path[-2:]}:
            pages.setdefault(name, Problem(position, dotted(path), name))
    return pages


def _decode(tree: Tree) -> tuple[HapairFile | None, list[Problem]]:
    try:
        return adapter().validate_json(json.dumps(tree.value)), []
    except ValidationError as error:
        unclear = {dotted(path) for path in tree.unclear}
        problems = [_translate(one, tree) for one in error.errors(include_url=False)]
        return None, [problem for problem in problems if problem.where not in unclear]


def _translate(error: Mapping[str, Any], tree: Tree) -> Problem:
    """One pydantic error in the words of the file."""
    loc = _as_written([step for step in error["loc"] if step != "[key]"], tree)
    path, position = tree.find(loc)
    kind = error["type"]
    if kind == "missing":
        return Problem(position, dotted(loc), "is missing")
    if kind == "unexpected_keyword_argument":
        return Problem(position, dotted(path), f"unknown key{nearest(str(loc[-1]), _keys_at(loc[:-1]))}")
    if kind == "literal_error":
        return Problem(position, dotted(path), _literal(error, tree.at(*path)))
    if kind == "value_error":
        return _object_problem(str(error["ctx"]["error"]), path, tree)
    return Problem(position, dotted(path), _of_type(kind, error, loc))


def _of_type(kind: str, error: Mapping[str, Any], loc: Sequence[str | int]) -> str:
    """What kind of value is wanted, and how it is written where another one stands."""
    message, given = _MESSAGES.get(kind) or str(error["msg"]), error["input"]
    if kind == "dataclass_type" and isinstance(given, str | int | float) and (keys := list(_keys_at(loc))):
        return f"{message}: {', '.join(sorted(keys))}"
    if kind == "tuple_type" and isinstance(given, str):
        return f"must be a list: write [{given if _is_plain(given) else json.dumps(given)}]"
    if kind == "tuple_type" and loc[-1:] == ["listen"] and isinstance(given, int):
        return f'must be a list of address:port: write [":{given}"]'
    if kind == "dict_type" and isinstance(given, list) and "track" not in loc:  # which takes lists of names
        return f"{message}, not a list: give each a name, and leave out the dashes"
    if kind == "int_type" and isinstance(given, str) and _INTEGER.fullmatch(given):
        return f"{message}: write {given} without quotes"
    return message


def _is_plain(text: str) -> bool:
    """May stand in a YAML list without quotes."""
    return re.fullmatch(r"[A-Za-z0-9_./-]+", text) is not None


def _as_written(loc: Sequence[str | int], tree: Tree) -> list[str | int]:
    """Without the place in a list that is written as its one member."""
    path: list[str | int] = []
    for step in loc:
        if not (isinstance(step, int) and path and not isinstance(tree.at(*path), list)):
            path.append(step)
    return path


def _object_problem(message: str, path: Path, tree: Tree) -> Problem:
    """What an object says of itself; where it begins with the name of a key that is given, it stands at that key."""
    key, _, rest = message.partition(" ")
    at_key, position = tree.find((*path, key))
    if at_key == path or not rest.startswith("must "):
        return Problem(tree.find(path)[1], dotted(path), message)
    return Problem(position, dotted(at_key), rest)


def _literal(error: Mapping[str, Any], value: object) -> str:
    expected = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
    if len(expected) == 1 and isinstance(value, bool):
        return f"must be {expected[0]}"
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{written} is not one of {', '.join(expected)}{_did_you_mean(written, expected)}"


def _did_you_mean(value: str, valid: Sequence[str]) -> str:
    clause = nearest(value, valid)
    return clause if clause.startswith("; did") else ""


def _keys_at(loc: Sequence[str | int]) -> Iterator[str]:
    """The keys that the table at `loc` may have, by the schema."""
    schema = _schema()
    node: dict[str, Any] = schema
    for step in loc:
        node = _resolve(node, schema)
        properties = node.get("properties", {})
        if isinstance(step, int):
            node = node.get("items", node)
        else:
            node = properties.get(step) or node.get("additionalProperties") or {}
    yield from _resolve(node, schema).get("properties", {})


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and of alternatives take the one that is a table."""
    while True:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        elif "anyOf" in node:
            tables = [one for one in node["anyOf"] if one.keys() & {"$ref", "anyOf"} or one.get("type") == "object"]
            if not tables:
                return node
            node = tables[0]
        else:
            return node
