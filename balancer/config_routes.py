"""Routes: on which conditions a request goes where, or is answered here. Frozen; each type validates itself. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from balancer.config_headers import HeaderRules, RewritePath, check_header_name, check_request_rules
from balancer.fieldtypes import STRICT, OneOrMore, Seconds, Shorthand, Texts
from balancer.networks import NetworkText
from balancer.patterns import check_host, check_path, check_value
from balancer.placeholders import IN_REQUESTS, template

_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_MEDIA_TYPE = re.compile(r"[!-~]+/[!-~]+(?: [!-~]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What must hold of a request: something of each list that is given, and every header and parameter."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    host: Texts = ()
    """Exact (`api.example.org`), every name below one (`*.example.org`), or `~` and a regular expression."""
    path: Texts = ()
    """Exact, a prefix when it ends with `*` (`/v1/*`), a glob (`/*/photo?`), or `~` and a regular expression."""
    method: Texts = ()
    header: Mapping[str, str] = field(default_factory=dict)
    """By name: exact, a glob (`*` alone: it is there at all), or `~` and a regular expression."""
    query: Mapping[str, str] = field(default_factory=dict)
    """The same for the parameters of the query."""
    client: Annotated[tuple[NetworkText, ...], OneOrMore()] = ()
    sni: Texts = ()
    """The server name of the TLS handshake, written as `host`."""

    def __post_init__(self) -> None:
        check_conditions(self)


def check_conditions(conditions: Conditions) -> None:
    """Raise ValueError for what can never hold."""
    for host in conditions.host:
        check_host("host", host)
    for name in conditions.sni:
        check_host("sni", name)
    for path in conditions.path:
        check_path(path)
    for method in conditions.method:
        if not _METHOD.fullmatch(method) or method.upper() != method:
            raise ValueError(f"method must be written in capitals, for example GET; {method!r} is not")
    for name, pattern in conditions.header.items():
        check_header_name(name)
        check_value("header", pattern)
    for pattern in conditions.query.values():
        check_value("query", pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Send the client elsewhere."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    to: str
    """A URL with placeholders, for example `https://{hostname}{target}`."""
    status: Literal[301, 302, 303, 307, 308] = 302

    def __post_init__(self) -> None:
        template(self.to, IN_REQUESTS)
        if not self.to or not re.fullmatch(r"[!-~]+", self.to):
            raise ValueError("to must be a URL without spaces and with ASCII characters alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Respond:
    """An answer that is always the same."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    status: int = 200
    body: str | None = None
    body_file: str | None = None
    """Relative to the folder of the file; read once, when the node starts."""
    content_type: str | None = None
    """None: by the name of `body_file`, else text/plain."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further ones, with placeholders."""

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise ValueError("status must be from 200 to 599")
        if self.body is not None and self.body_file is not None:
            raise ValueError("write body or body_file, not both")
        if self.status in (204, 304) and (self.body or self.body_file):
            raise ValueError(f"status {self.status} has no body")
        if self.content_type is not None and not _MEDIA_TYPE.fullmatch(self.content_type):
            raise ValueError("content_type must be a media type, for example text/html; charset=utf-8")
        HeaderRules(set_headers=self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A page instead of all else."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    page: str | None = None
    """A file, read once, when the node starts; None: a line of text."""
    status: int = 503
    retry_after_s: Seconds | None = None
    """Said in Retry-After, in whole seconds."""

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599 or self.status in (204, 304):
            raise ValueError("status must be one with a body, from 200 to 599")
        if self.retry_after_s is not None and self.retry_after_s < 1:
            raise ValueError("retry_after must be at least 1s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acme:
    """Who answers under /.well-known/acme-challenge/, before every route."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    directory: str | None = None
    """What certbot calls --webroot-path and lego --http.webroot; or the folder of the challenges itself."""
    pool: str | None = None
    """Servers that answer, for example a certbot that listens by itself."""

    def __post_init__(self) -> None:
        if (self.directory is None) == (self.pool is None):
            raise ValueError("write either directory or pool")
        if self.directory is not None and not (self.directory.startswith("/") and self.directory.isprintable()):
            raise ValueError("directory must be a whole path, for example /var/lib/acme")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Conditions):
    """What becomes of a request that all conditions hold for. The first route that matches wins."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    unless: Annotated[tuple[Conditions, ...], OneOrMore()] = ()
    """Not where all that one of these says holds."""
    pool: str | None = None
    redirect: Annotated[Redirect, Shorthand("to")] | None = None
    respond: Respond | None = None
    deny: int | None = None
    """A status from 400 to 599."""
    rewrite_path: RewritePath | None = None
    request: HeaderRules = field(default_factory=HeaderRules)
    response: HeaderRules = field(default_factory=HeaderRules)

    def __post_init__(self) -> None:
        check_conditions(self)
        actions = (self.pool, self.redirect, self.respond, self.deny)
        if sum(action is not None for action in actions) != 1:
            raise ValueError("write one of pool, redirect, respond and deny")
        if self.deny is not None and not 400 <= self.deny <= 599:
            raise ValueError("deny must be a status from 400 to 599")
        if self.rewrite_path is not None and self.pool is None and self.redirect is None:
            raise ValueError("rewrite_path needs a pool or a redirect")
        if self.request and self.pool is None:
            raise ValueError("request rules need a pool")
        check_request_rules(self.request)
        if any(conditions == Conditions() for conditions in self.unless):
            raise ValueError("unless needs conditions: without one the route never matches")


def check_error_pages(pages: Mapping[str, str]) -> None:
    """Raise ValueError where a key is no status of an error."""
    for status, file in pages.items():
        if not re.fullmatch(r"[45][0-9]{2}", status):
            raise ValueError(f"error_pages: {status} is not a status from 400 to 599")
        if not file:
            raise ValueError(f"error_pages: {status} names no file")


def files_of(*parts: Respond | Maintenance | None, pages: Mapping[str, str]) -> Iterator[str]:
    """The files whose text these answers give."""
    for part in parts:
        file = part.body_file if isinstance(part, Respond) else part.page if part else None
        if file is not None:
            yield file
    yield from pages.values()


def check_tcp_route(route: Route) -> None:
    """Raise ValueError for what a connection without requests cannot be routed by. For `mode: tcp`."""
    if route.pool is None or route != Route(pool=route.pool, sni=route.sni, client=route.client):
        raise ValueError("in mode: tcp a route has `sni` and `client` for conditions, and leads to a `pool`")
