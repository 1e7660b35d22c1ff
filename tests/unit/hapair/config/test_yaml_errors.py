"""Mistakes that people make in YAML: where each is, and what is to be done."""

import pytest

from hapair.config.tree import parse

CASES = {
    "a tab": ("a:\n\tb: 1\n", 2, 1, "a tab: lines are indented with spaces alone"),
    "a tab behind spaces": ("a:\n  b: 1\n  \tc: 2\n", 3, 3, "a tab: lines are indented with spaces alone"),
    "a blank of a web page": (
        "a:\n\u00a0 b: 1\n  c: 1\n",
        *(2, 1, "a blank that is no space (U+00A0), as text copied from a web page has: write spaces"),
    ),
    "marks of a merge": (
        "<<<<<<< HEAD\na: 1\n=======\na: 2\n",
        *(1, 1, "a merge of two versions left its marks here: choose one of them"),
    ),
    "too little indented": (
        "a:\n    b: 1\n   c: 2\n",
        *(
            3,
            4,
            "begins in column 4, and no line that it could belong to does: lines of one table begin in the same column",
        ),
    ),
    "less than the first line": (
        " a: 1\nb: 2\n",
        *(
            2,
            1,
            "begins in column 1, and no line that it could belong to does: lines of one table begin in the same column",
        ),
    ),
    "too deeply indented": (
        "a:\n  b: 1\n    c: 2\n",
        *(3, 5, "begins in column 5, deeper than the line before, which has its value already: begin it in column 3"),
    ),
    "no space behind a colon": ("a:\n  b:1\n  c: 2\n", 2, 3, "there must be a space after the colon: b: 1"),
    "no space behind the last colon": ("a:\n  c: 2\n  b:1\n", 3, 3, "there must be a space after the colon: b: 1"),
    "no colon": ("a:\n  lan\n    b: 1\n", 2, 3, "a colon is missing: lan:"),
    "no colon, and a comment": ("a:\n  lan\n  # why: so\n    b: 1\n", 2, 3, "a colon is missing: lan:"),
    "no colon in the last line": ("a:\n  c: 2\n  lan\n", 3, 3, "a colon is missing: lan:"),
    "a colon in a value": ("a: b: c\n", 1, 5, "a second colon: text that has a colon and a blank must be in quotes"),
    "a quote that is not closed": (
        'a: ["x]\nb: 1\nc: "d"\n',
        *(1, 4, "the [ that begins here is not closed as it should be: look for a missing ], comma or quote"),
    ),
    "a brace that is not closed": (
        "a:\n  b: {x: 1\nc: 2\n",
        *(2, 6, "the { that begins here is not closed as it should be: look for a missing }, comma or quote"),
    ),
    "a star": ("host: *.example.org\n", 1, 7, "text that begins with * must be in quotes"),
    "a percent sign": ("a: %x\n", 1, 4, "text that begins with % must be in quotes"),
    "an address in brackets": (
        "listen: [192.0.2.1:80, [::1]:80]\n",
        *(1, 25, 'an IPv6 address and its port must be in quotes, as "[::1]:80"'),
    ),
    "a list that goes on without a dash": (
        "a:\n  - b\n  c: 1\n",
        *(3, 3, "the list above goes on with - in this column, and this line has none"),
    ),
    "a list behind its key": (
        "a: - b\n",
        1,
        4,
        "write the list in brackets, [first, second], or each of its members on a line of its own below the key",
    ),
    "a backslash": (
        'a: "\\d"\n',
        *(1, 5, r"in double quotes \ begins something special: write the text in 'single' quotes"),
    ),
    "text behind a quote": (
        'a: "x" y\n',
        1,
        8,
        "the value before this has ended; text with quotes, braces or brackets in it must be in quotes as a whole",
    ),
    "two documents": ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here: the file must be one"),
    "what the library says is said where nothing better is known": (
        'a: "\\ud800"',
        *(1, 7, "while parsing a quoted scalar, found invalid Unicode character escape code"),
    ),
}


@pytest.mark.parametrize(("text", "line", "column", "words"), CASES.values(), ids=CASES)
def test_a_mistake_is_said_where_it_is(text: str, line: int, column: int, words: str) -> None:
    (problem,) = parse(text).problems
    assert (problem.position.line, problem.position.column, problem.message) == (line, column, f"not YAML: {words}")
