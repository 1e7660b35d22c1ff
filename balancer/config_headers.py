"""What is done to heads on their way: header rules, rewriting of paths, ids of requests, HSTS. Frozen. Pure.

Texts have placeholders such as {client} (balancer/placeholders.py).
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from balancer.fieldtypes import STRICT, Seconds, Texts
from balancer.patterns import check_regex
from balancer.placeholders import IN_REQUESTS, IN_RESPONSES, template

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PATH = re.compile(r"/[!-~]*")
_YEAR_S = 365 * 24 * 3600.0

OURS = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
    | {"expect", "http2-settings"}
)
"""Headers that say how a message is framed, or what a connection is for: they follow from the message itself."""


def check_header_name(name: str) -> None:
    """Raise ValueError where `name` is no header that a file may speak of."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a header")


def _check_own(name: str) -> None:
    check_header_name(name)
    if name.lower() in OURS:
        raise ValueError(f"{name} cannot be set or removed: it follows from the message and its connection")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRules:
    """What is done to the headers of a request or response: first removed, then set, then added."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    set_headers: Mapping[str, str] = field(default_factory=dict)
    """In place of every header of this name."""
    add_headers: Mapping[str, str] = field(default_factory=dict)
    """Beside what is there of this name."""
    remove_headers: Texts = ()

    def __post_init__(self) -> None:
        for name in (*self.set_headers, *self.add_headers, *self.remove_headers):
            _check_own(name)
        check_templates(self, IN_RESPONSES)

    def __bool__(self) -> bool:
        return bool(self.set_headers or self.add_headers or self.remove_headers)


def check_templates(rules: HeaderRules, allowed: Collection[str]) -> None:
    """Raise ValueError where a value holds a placeholder that is not one of `allowed`."""
    for name, value in (*rules.set_headers.items(), *rules.add_headers.items()):
        try:
            template(value, allowed)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def check_request_rules(rules: HeaderRules) -> None:
    """Raise ValueError where rules for requests speak of what is not known yet."""
    check_templates(rules, IN_REQUESTS)
    if any(name.lower() == "host" for name in (*rules.add_headers, *rules.remove_headers)):
        raise ValueError("Host can be set, not added or removed: a request has exactly one")


@dataclass(frozen=True, slots=True, kw_only=True)
class RewritePath:
    """A new path for the server, made of the old one; the query stays. One of `strip`, `replace` and `regex`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    strip: str | None = None
    """A prefix that is left out: with `/api`, /api/x becomes /x; /apix stays."""
    replace: str | None = None
    """A prefix that `by` takes the place of."""
    regex: str | None = None
    """What `by` takes the place of, everywhere."""
    by: str | None = None
    """With `regex`, \\1 stands for what its first group matched."""

    def __post_init__(self) -> None:
        if sum(key is not None for key in (self.strip, self.replace, self.regex)) != 1:
            raise ValueError("write one of strip, replace and regex")
        for prefix in (self.strip, self.replace):
            if prefix is not None and (not _PATH.fullmatch(prefix) or prefix == "/"):
                raise ValueError(f"{prefix!r} is not the beginning of a path, for example /api")
        if (self.by is None) != (self.strip is not None):
            raise ValueError("replace and regex need by, and strip takes none")
        if self.replace is not None and not _PATH.fullmatch(str(self.by)):
            raise ValueError("by must begin with /, and hold neither spaces nor other than ASCII characters")
        if self.regex is not None:
            self._check_regex(self.regex, str(self.by))

    def _check_regex(self, regex: str, by: str) -> None:
        check_regex("regex", regex)
        if not re.fullmatch(r'[!"$-~]*', by):
            raise ValueError("by must hold neither spaces nor # nor other than ASCII characters")
        if re.search(r"\\(?:[0abfnrtv]|[1-9][0-9]{2})", by.replace("\\\\", "")):
            raise ValueError("by must have no escapes but those of groups: \\1 to \\99, \\g<name> and \\\\")
        pattern = re.compile(regex.encode("utf-8"))
        groups = [int(digits) for digits in re.findall(r"\\([1-9][0-9]?)", by)]
        if max(groups, default=0) > pattern.groups:
            raise ValueError(f"by {by!r}: the regular expression has {pattern.groups} groups")
        try:
            pattern.sub(by.encode("ascii"), b"")
        except (re.error, IndexError) as error:
            raise ValueError(f"by {by!r}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestId:
    """A header by which a request is found again in the logs of all who had to do with it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    header: str = "X-Request-ID"
    """Taken as it is from a peer of `trusted_proxies`, else made anew."""

    def __post_init__(self) -> None:
        _check_own(self.header)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hsts:
    """Strict-Transport-Security (RFC 6797), said over TLS only: use this host by https and never otherwise."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    max_age_s: Seconds = _YEAR_S
    include_subdomains: bool = False
    preload: bool = False

    def __post_init__(self) -> None:
        if self.preload and not (self.include_subdomains and self.max_age_s >= _YEAR_S):
            raise ValueError("preload must come with include_subdomains and a max_age of at least 8760h")

    @property
    def value(self) -> str:
        """What the header says."""
        subdomains = "; includeSubDomains" if self.include_subdomains else ""
        return f"max-age={int(self.max_age_s)}{subdomains}{'; preload' if self.preload else ''}"
