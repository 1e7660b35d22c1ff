"""Header rules and rewriting of paths, made ready to be carried out on the bytes of heads. Pure."""

import re
from collections.abc import Callable, Sequence

from balancer.config_headers import HeaderRules, RewritePath
from balancer.http1.request import RequestHead
from balancer.placeholders import Asker, Getter, Template, template

Rewrite = Callable[[bytes], bytes]
"""A path to a path, or to a path and a query."""


class Edits:
    """What is taken out of a head, and the lines that are put in at its end."""

    __slots__ = ("_added", "_drop", "_fixed")

    def __init__(self, drop: re.Pattern[bytes] | None, added: Template) -> None:
        self._drop = drop
        self._added = added
        self._fixed = None if any(not isinstance(part, bytes) for part in added.parts) else b"".join(added.parts)  # type: ignore[arg-type]

    def apply(self, data: bytes, asker: Asker, head: RequestHead) -> bytes:
        """`data` is a whole head with its empty line; `head` is that of the request, for placeholders."""
        if self._drop is not None:
            data = self._drop.sub(b"", data)
        added = self._added.render(asker, head) if self._fixed is None else self._fixed
        return data[:-2] + added + b"\r\n"


def edits(rule_sets: Sequence[HeaderRules], *, of_requests: bool) -> Edits | None:
    """What several sets of rules come to, one after the other; None where they change nothing.

    What is set or removed in a request goes in both spellings, with dashes and with underscores: CGI and its kind do
    not tell them apart, and a client could say the other one.
    """
    dropped: dict[str, None] = {}
    lines: list[tuple[str, str]] = []
    for rules in rule_sets:
        gone = {name.lower() for name in (*rules.remove_headers, *rules.set_headers)}
        dropped |= dict.fromkeys(sorted(gone))
        lines = [line for line in lines if line[0].lower() not in gone]
        lines += [*rules.set_headers.items(), *rules.add_headers.items()]
    if not dropped and not lines:
        return None
    return Edits(_dropper(list(dropped), of_requests=of_requests), lines_template(lines))


def _dropper(names: Sequence[str], *, of_requests: bool) -> re.Pattern[bytes] | None:
    if not names:
        return None
    patterns = [re.escape(name.encode("ascii")) for name in names]
    if of_requests:
        patterns = [re.sub(rb"\\-|_", b"[-_]", pattern) for pattern in patterns]
    return re.compile(rb"\n(?:" + b"|".join(patterns) + rb"):[^\n]*+(?=\n)", re.IGNORECASE)


def lines_template(lines: Sequence[tuple[str, str]]) -> Template:
    """Header lines with their CR LF, from names and values with placeholders."""
    parts: list[bytes | Getter] = []
    for name, value in lines:
        parts += [name.encode("ascii") + b": ", *template(value).parts, b"\r\n"]
    return Template(_joined(parts))


def _joined(parts: Sequence[bytes | Getter]) -> list[bytes | Getter]:
    joined: list[bytes | Getter] = []
    for part in parts:
        if joined and isinstance(part, bytes) and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def rewrite(config: RewritePath) -> Rewrite:
    """The function that gives a path its new form."""
    by = (config.by or "").encode("utf-8")
    if config.regex is not None:
        pattern = re.compile(config.regex.encode("utf-8"))
        return lambda path: pattern.sub(by, path)
    prefix = str(config.strip if config.strip is not None else config.replace).rstrip("/").encode("ascii")
    new = by.rstrip(b"/")

    def replaced(path: bytes) -> bytes:
        rest = path[len(prefix) :]
        within = path.startswith(prefix) and rest[:1] in (b"", b"/")
        return new + rest if within else path

    return replaced


def rewritten(head: RequestHead, change: Rewrite) -> RequestHead:
    """The head with another path; the query stays. `*` is no path."""
    if head.target == b"*":
        return head
    path, mark, query = head.target.partition(b"?")
    new = change(path)
    if new == path:
        return head
    if not new.startswith(b"/"):
        new = b"/" + new
    if mark:
        new += (b"&" if b"?" in new else b"?") + query
    start = len(head.method) + 1
    passing = head.passing[:start] + new + head.passing[start + len(head.target) :]
    return head._replace(target=new, passing=passing)
