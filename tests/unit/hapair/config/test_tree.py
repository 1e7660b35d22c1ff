"""YAML to values that remember where they stood, without the surprises of YAML 1.1."""

from typing import Any

import pytest

from hapair.config.errors import Position
from hapair.config.tree import dotted, parse


def said(text: str) -> list[str]:
    return [problem.render("f") for problem in parse(text).problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("0", 0),
        ("-7", -7),
        ("200", 200),
        ("0.5", 0.5),
        ("-1.25", -1.25),
        ("eth0", "eth0"),
        ("250ms", "250ms"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:80", "192.0.2.1:80"),
        (":80", ":80"),
        ('"[2001:db8::1]:80"', "[2001:db8::1]:80"),
        ('"010"', "010"),
        ("'yes'", "yes"),
        ('"12:30"', "12:30"),
        ("|\n  yes", "yes"),
        (">-\n  1_000", "1_000"),
        ("nobody", "nobody"),
        ("None", "None"),
        ("9" * 18, 999_999_999_999_999_999),
        ("9" * 5000, "9" * 5000),  # no number that could be meant; int() refuses it
    ],
)
def test_a_scalar_is_a_truth_value_a_decimal_number_null_or_text(text: str, value: Any) -> None:
    tree = parse(f"key: {text}")
    assert tree.value == {"key": value}
    assert type(tree.value["key"]) is type(value)
    assert tree.problems == []


@pytest.mark.parametrize("word", ["yes", "No", "ON", "off", "y", "N", "True", "FALSE", "Null"])
def test_a_word_that_yaml_1_1_reads_as_something_else_is_an_error(word: str) -> None:
    assert said(f"a: {word}") == [
        f'f:1:4: a: {word} is not read as a truth value; write true or false, or "{word}" in quotes for the word'
    ]


@pytest.mark.parametrize(
    "number",
    [
        *("010", "007", "0x1F", "0b11", "0o17", "1_000", "12:30", "1:02:03", "1e3", "1.5E+3", "+5", ".5", "5.", ".inf"),
        *(".NaN", "2024-01-31", "2024-1-1 10:00:00"),
    ],
)
def test_a_number_that_can_be_read_in_several_ways_is_an_error(number: str) -> None:
    tree = parse(f"a: {number}")
    assert [problem.render("f") for problem in tree.problems] == [
        f"f:1:4: a: {number} can be read in several ways; "
        f'write a plain decimal number, or "{number}" in quotes for text'
    ]
    assert tree.unclear == {("a",)}


def test_of_two_equal_keys_the_second_is_an_error() -> None:
    assert said("web:\n  port: 1\n  name: x\n  port: 2\n") == ["f:4:3: web.port: given twice; first in line 2"]


def test_keys_are_words_whatever_yaml_1_1_reads_in_them() -> None:
    tree = parse("on: 1\n404: 2\nyes: 3\n")
    assert tree.value == {"on": 1, "404": 2, "yes": 3}
    assert tree.problems == []


def test_a_key_that_is_no_word_is_an_error() -> None:
    assert said("a:\n  [b, c]: 1\n") == ["f:2:3: a: a key must be a word"]


def test_aliases_stand_for_what_they_name() -> None:
    assert parse("a: &x {b: 1}\nc: *x\n").value == {"a": {"b": 1}, "c": {"b": 1}}


def test_an_alias_may_not_contain_itself() -> None:
    assert said("a: &x [1, *x]") == ["f:1:4: a[1]: an alias may not contain itself"]
    assert said("a: &x {b: *x}") == ["f:1:4: a.b: an alias may not contain itself"]


def test_merge_keys_are_keys_like_others() -> None:
    assert parse("a: &x {b: 1}\nc: {<<: *x}\n").value == {"a": {"b": 1}, "c": {"<<": {"b": 1}}}


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    tree = parse("\n".join(lines))
    assert tree.value is None
    assert [problem.render("f") for problem in tree.problems] == [
        "f:1:1: its aliases make more than 20000 values, or more than 32 levels"
    ]


def test_aliases_of_aliases_do_not_go_too_deep() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 1000)]
    assert said("\n".join(lines)) == ["f:1:1: its aliases make more than 20000 values, or more than 32 levels"]


@pytest.mark.parametrize("depth", [33, 2_000, 200_000])
def test_deep_nesting_is_an_error_and_no_crash(depth: int) -> None:
    assert said("[" * depth) == ["f:1:33: nested more than 32 levels deep"]


def test_nesting_up_to_the_limit_is_read() -> None:
    tree = parse("a: " + "[" * 30 + "]" * 30)
    assert tree.problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f:1:1: the file is empty; `hapair schema` says what it can hold"),
        ("null", "f:1:1: the file is empty; `hapair schema` says what it can hold"),
        ("!", "f:1:1: the file is empty; `hapair schema` says what it can hold"),
        ("# only a comment\n", "f:1:1: the file is empty; `hapair schema` says what it can hold"),
        ("a: 1\n\tb: 2\n", "f:2:1: not YAML: a tab: lines are indented with spaces alone"),
        ("a: [b\nc: d\n",
         "f:1:4: not YAML: the [ that begins here is not closed as it should be: look for a missing ], comma or quote"),
        ("a: *nobody", "f:1:4: not YAML: text that begins with * must be in quotes"),
        ("a: 1\n--- \nb: 2\n", "f:2:1: not YAML: a second document begins here: the file must be one"),
        ("a: \x07", "f:1:1: not YAML: control characters are not allowed"),
        ('a: "\\ud800"', "f:1:7: not YAML: while parsing a quoted scalar, found invalid Unicode character escape code"),
    ],
    ids=["empty", "null", "tag", "comment", "tab", "flow", "alias", "documents", "control", "surrogate"],
)  # fmt: skip
def test_what_is_not_yaml_is_one_problem_and_no_value(text: str, problem: str) -> None:
    tree = parse(text)
    assert tree.value is None
    assert [one.render("f") for one in tree.problems] == [problem]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse("\ufeffa: 1").value == {"a": 1}


def test_every_value_and_key_knows_where_it_stands() -> None:
    tree = parse("pools:\n  web: {weight: 1}\n  list:\n    - x\n    - y\n")
    assert tree.find(["pools", "web", "weight"]) == (("pools", "web", "weight"), Position(2, 9))
    assert tree.find(["pools", "list", 1]) == (("pools", "list", 1), Position(5, 7))
    assert tree.find([]) == ((), Position(1, 1))


def test_what_is_not_there_stands_at_the_longest_part_that_is() -> None:
    tree = parse("pools:\n  web: {weight: 1}\n")
    assert tree.find(["pools", "web", "check", "http"]) == (("pools", "web"), Position(2, 3))
    assert tree.find(["nowhere", 3]) == ((), Position(1, 1))


def test_at_and_children_find_nothing_where_there_is_nothing() -> None:
    tree = parse("a: {b: [x]}\nc: text\n")
    assert tree.at("a", "b", 0) == "x"
    assert tree.at("a", "b", 1) is None
    assert tree.at("a", 0) is None
    assert tree.at("c", "d") is None
    assert list(tree.children("a")) == [("b", ["x"])]
    assert list(tree.children("c")) == []
    assert list(tree.children("z", "y")) == []


def test_dotted_is_how_a_person_would_write_a_path() -> None:
    assert dotted(("frontends", "web", "routes", 0, "pool")) == "frontends.web.routes[0].pool"
    assert dotted((0, "a")) == "[0].a"
    assert dotted(()) == ""
