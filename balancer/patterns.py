r"""How conditions write text: exact, with `*` for anything, or a regular expression after `~`. Pure.

    /v1/users        itself
    /v1/*            everything that begins with /v1/
    /v1/*/photo?     a glob: * within one segment of a path, ? one character
    ~^/v[0-9]+/      a regular expression, found anywhere unless it has ^ and $

In a path `*` stops at `/` but for one at the end; elsewhere it stands for anything. Host names know `*` only as their
first label.
"""

import re
from collections.abc import Callable, Sequence
from operator import methodcaller

Test = Callable[[bytes], object]
"""Of bytes; true or false."""

_HOST_PATTERN = re.compile(r"(?:\*\.)?(?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+\.?|\[[0-9A-Fa-f:.]+\]|\*")


def is_regex(pattern: str) -> bool:
    """Written with a `~` before it."""
    return pattern.startswith("~")


def is_glob(pattern: str) -> bool:
    """Not a regular expression, and not just itself."""
    return not is_regex(pattern) and ("*" in pattern or "?" in pattern)


def check_regex(key: str, text: str) -> None:
    """Raise ValueError where `text`, written under `key`, is no regular expression."""
    try:
        re.compile(text.encode("utf-8"))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{key} must hold a regular expression, and {text!r} is none: {error}") from None


def check_host(key: str, pattern: str) -> None:
    """Raise ValueError where a host pattern can match no host."""
    if is_regex(pattern):
        check_regex(key, pattern[1:])
    elif "*" in pattern.removeprefix("*.") and pattern != "*":
        raise ValueError(f"{key} must have a * only as its first label, for example *.example.org")
    elif not _HOST_PATTERN.fullmatch(pattern):
        raise ValueError(f"{key} must be a host name without a port, an IPv6 address in brackets; {pattern!r} is none")


def check_path(pattern: str) -> None:
    """Raise ValueError where a path pattern can match no path."""
    if is_regex(pattern):
        check_regex("path", pattern[1:])
    elif not pattern.startswith("/"):
        raise ValueError("path must begin with /, or with ~ for a regular expression")
    elif not re.fullmatch(r"[!-~]+", pattern) or "#" in pattern:
        raise ValueError(f"path must have other characters as they are sent, for example %20; {pattern!r} matches none")


def check_value(key: str, pattern: str) -> None:
    """Raise ValueError for a pattern of a header or of a query parameter that makes no sense."""
    if is_regex(pattern):
        check_regex(key, pattern[1:])


def host_test(patterns: Sequence[str]) -> Test:
    """For a host name in lower case without port and final dot."""
    tests = [_regex_test(one) for one in patterns if is_regex(one)]
    plain = [one.lower().removesuffix(".").encode("ascii") for one in patterns if not is_regex(one)]
    exact = frozenset(one for one in plain if not one.startswith(b"*"))
    suffixes = tuple(one[1:] for one in plain if one.startswith(b"*"))
    if exact:
        tests.insert(0, exact.__contains__)
    if suffixes:
        tests.append(_below(suffixes))
    return any_of(tests)


def path_test(patterns: Sequence[str]) -> Test:
    """For the path of a target, exactly as it was sent."""
    tests = [_regex_test(one) for one in patterns if is_regex(one)]
    plain = [one for one in patterns if not is_regex(one)]
    exact = frozenset(one.encode() for one in plain if not is_glob(one))
    prefixes = tuple(one[:-1].encode() for one in plain if _is_prefix(one))
    if exact:
        tests.insert(0, exact.__contains__)
    if prefixes:
        tests.insert(0, methodcaller("startswith", prefixes))
    tests += [_glob_test(one, within=rb"[^/]") for one in plain if is_glob(one) and not _is_prefix(one)]
    return any_of(tests)


def value_test(pattern: str) -> Test:
    """For the value of a header or of a query parameter."""
    if is_regex(pattern):
        return _regex_test(pattern)
    return _glob_test(pattern, within=rb".") if is_glob(pattern) else pattern.encode().__eq__


def any_of(tests: Sequence[Test]) -> Test:
    """Whether one of them holds."""
    if len(tests) == 1:
        return tests[0]
    return lambda data: any(test(data) for test in tests)


def _is_prefix(pattern: str) -> bool:
    return pattern.endswith("*") and not is_glob(pattern[:-1])


def _below(suffixes: tuple[bytes, ...]) -> Test:
    return lambda host: any(host.endswith(suffix) and len(host) > len(suffix) for suffix in suffixes)


def _regex_test(pattern: str) -> Test:
    return re.compile(pattern[1:].encode()).search


def _glob_test(pattern: str, *, within: bytes) -> Test:
    """`within`: what one character in the middle can be. A `*` at the end takes everything."""
    body, last = (pattern[:-1], rb".*+") if pattern.endswith("*") else (pattern, b"")
    wild = {"*": within + b"*", "?": within}
    parts = [wild.get(char) or re.escape(char.encode()) for char in body]
    return re.compile(b"".join(parts) + last, re.DOTALL).fullmatch


def covers_host(wide: str, narrow: str) -> bool:
    """Whether every host that `narrow` matches is surely matched by `wide` too."""
    if wide in ("*", narrow):
        return True
    if is_regex(narrow) or narrow == "*":
        return False
    if narrow.startswith("*."):
        return not is_regex(wide) and wide.startswith("*.") and narrow.lower()[1:].endswith(wide.lower()[1:])
    return bool(host_test((wide,))(narrow.lower().removesuffix(".").encode("ascii")))


def covers_path(wide: str, narrow: str) -> bool:
    """Whether every path that `narrow` matches is surely matched by `wide` too."""
    if wide in ("/*", narrow):
        return True
    if is_regex(narrow):
        return False
    if _is_prefix(wide):
        return re.split(r"[*?]", narrow)[0].startswith(wide[:-1])
    return not is_glob(narrow) and bool(path_test((wide,))(narrow.encode()))


def covers_value(wide: str, narrow: str) -> bool:
    """Whether every value that `narrow` matches is surely matched by `wide` too."""
    if wide in ("*", narrow):
        return True
    return not is_regex(narrow) and not is_glob(narrow) and bool(value_test(wide)(narrow.encode()))
