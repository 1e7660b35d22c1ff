"""What is wrong with text that is no YAML, in the words of somebody who has to mend it. Pure.

The library says what it expected at the place where it gave up; the mistake is often in the line before.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hapair.config.errors import Position

_MERGE_MARK = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: |$)")
_NO_SPACE_BEHIND_COLON = re.compile(r"\s*(?:- )?[A-Za-z0-9_.-]+:[^\s:/]\S*\s*")
_KEY = re.compile(r"\s*(?:- )?[^\s:#][^:#]*:(?:\s|$)")
_SPECIAL = "*&@%`!|>"
_SAID = {
    "found unknown escape character": r"in double quotes \ begins something special: write the text in 'single' quotes",
    "but found another document": "a second document begins here: the file must be one",
    "block sequence entries are not allowed in this context": "write the list in brackets, [first, second], or each of "
    "its members on a line of its own below the key",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """What the library says. Places are line and column, from 0."""

    problem: str
    context: str
    at: tuple[int, int]
    opened: tuple[int, int] | None
    """Where that began which the problem ends."""


def explained(text: str, complaint: Complaint) -> tuple[Position, str]:
    """Where the mistake is, as well as can be told, and what it is."""
    lines = text.splitlines() or [""]
    line, column = min(complaint.at[0], len(lines) - 1), complaint.at[1]
    found = next(_likely(lines, line, column, complaint), None)
    if found is not None:
        return found
    said = ", ".join(part for part in (complaint.context, complaint.problem) if part)
    return _position(line, column), _SAID.get(complaint.problem, said)


def _position(line: int, column: int) -> Position:
    return Position(line + 1, column + 1)


def _likely(lines: Sequence[str], line: int, column: int, complaint: Complaint) -> Iterator[tuple[Position, str]]:
    """The likeliest first."""
    yield from _strange_characters(lines, line)
    problem, context, opened = complaint.problem, complaint.context, complaint.opened
    if "cannot start any token" in problem or "scanning an a" in context or "undefined alias" in problem:
        yield from _unquoted(lines[line], line, column)
    if "mapping values are not allowed" in problem:
        yield from _too_many_colons(lines, line, column)
    if "could not find expected ':'" in problem and opened is not None:
        yield _colon(lines[opened[0]], opened[0])
    if "did not find expected node content" in problem:
        yield _position(line, column), 'an IPv6 address and its port must be in quotes, as "[::1]:80"'
    if opened is not None and "flow" in context:
        bracket = lines[opened[0]][opened[1]]
        words = f"the {bracket} that begins here is not closed as it should be: look for a missing "
        yield _position(*opened), f"{words}{']' if bracket == '[' else '}'}, comma or quote"
    if "'-' indicator" in problem:
        yield _position(line, column), "the list above goes on with - in this column, and this line has none"
    if re.search("expected (key|<document start>)", problem):
        yield from _out_of_place(lines, line, column)


def _strange_characters(lines: Sequence[str], number: int) -> Iterator[tuple[Position, str]]:
    for at, line in enumerate(lines):
        if _MERGE_MARK.match(line):
            yield Position(at + 1, 1), "a merge of two versions left its marks here: choose one of them"
    for at in range(number, max(-1, number - 2), -1):
        blanks = lines[at][: _indent(lines[at])]
        if "\t" in blanks:
            yield Position(at + 1, blanks.index("\t") + 1), "a tab: lines are indented with spaces alone"
        for column, char in enumerate(blanks):
            if char not in " \t":
                words = (
                    f"a blank that is no space (U+{ord(char):04X}), as text copied from a web page has: write spaces"
                )
                yield Position(at + 1, column + 1), words


def _unquoted(line: str, number: int, column: int) -> Iterator[tuple[Position, str]]:
    at = max(line.rfind(char, 0, column + 1) for char in _SPECIAL)
    if at >= 0:
        yield Position(number + 1, at + 1), f"text that begins with {line[at]} must be in quotes"


def _too_many_colons(lines: Sequence[str], line: int, column: int) -> Iterator[tuple[Position, str]]:
    """A colon where none may be: in this line, or because of the one before."""
    if _KEY.match(lines[line][:column]):
        yield _position(line, column), "a second colon: text that has a colon and a blank must be in quotes"
    yield from _colon_before(lines, line)
    above = _above(lines, line)
    if above is not None and (begins := _indent(lines[line])) > (wanted := _indent(lines[above])):
        words = f"begins in column {begins + 1}, deeper than the line before, which has its value already: "
        yield _position(line, begins), f"{words}begin it in column {wanted + 1}"


def _colon_before(lines: Sequence[str], line: int) -> Iterator[tuple[Position, str]]:
    above = _above(lines, line)
    if above is not None and (_NO_SPACE_BEHIND_COLON.fullmatch(lines[above]) or not re.search("[:-]", lines[above])):
        yield _colon(lines[above], above)


def _above(lines: Sequence[str], line: int) -> int | None:
    """The last line before with something in it."""
    return next((at for at in range(line - 1, -1, -1) if lines[at].split("#")[0].strip()), None)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _colon(line: str, number: int) -> tuple[Position, str]:
    place = _position(number, _indent(line))
    if _NO_SPACE_BEHIND_COLON.fullmatch(line):
        key, _, value = line.strip().partition(":")
        return place, f"there must be a space after the colon: {key}: {value}"
    return place, f"a colon is missing: {line.strip()[:40]}:"


def _out_of_place(lines: Sequence[str], line: int, column: int) -> Iterator[tuple[Position, str]]:
    yield from _colon_before(lines, line)
    if lines[line][:column].strip():
        words = (
            "the value before this has ended; text with quotes, braces or brackets in it must be in quotes as a whole"
        )
        yield _position(line, column), words
    else:
        words = f"begins in column {column + 1}, and no line that it could belong to does: lines of one table begin in "
        yield _position(line, column), f"{words}the same column"
