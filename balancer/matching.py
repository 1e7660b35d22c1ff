"""Conditions of routes, made ready to be asked about each request. Pure."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from balancer.config_routes import Conditions
from balancer.http1.fields import finder_of
from balancer.http1.request import RequestHead
from balancer.networks import Networks
from balancer.patterns import Test, host_test, path_test, value_test
from balancer.placeholders import Asker, host_name

Further = Callable[[RequestHead, Asker], object]
"""A condition on more than host and path."""

_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")

name_of = lru_cache(maxsize=1024)(host_name)
"""As `host_name`: clients name the same few hosts again and again."""


class Matcher:
    """The conditions of one route. None: any host, any path."""

    __slots__ = ("further", "host", "path")

    def __init__(self, conditions: Conditions, unless: Sequence[Conditions] = ()) -> None:
        self.host: Test | None = host_test(conditions.host) if conditions.host else None
        self.path: Test | None = path_test(conditions.path) if conditions.path else None
        self.further = (*_further(conditions), *(_none_of(one) for one in unless))

    def matches(self, host: bytes, path: bytes, head: RequestHead, asker: Asker) -> bool:
        """`host` as `name_of` gives it, `path` without the query."""
        if self.host is not None and not self.host(host):
            return False
        if self.path is not None and not self.path(path):
            return False
        return not self.further or all(condition(head, asker) for condition in self.further)


def query_values(target: bytes, name: bytes) -> list[bytes]:
    """The values of a parameter of the query, decoded (%41 and +), in order of appearance."""
    pairs = (part.partition(b"=") for part in target.partition(b"?")[2].split(b"&") if part)
    return [_decoded(value) for key, _, value in pairs if key == name or _decoded(key) == name]


def _decoded(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda match: bytes((int(match[1], 16),)), text.replace(b"+", b" "))


def _none_of(conditions: Conditions) -> Further:
    matcher = Matcher(conditions)

    def none_of(head: RequestHead, asker: Asker) -> object:
        return not matcher.matches(name_of(head.host), head.target.partition(b"?")[0], head, asker)

    return none_of


def _further(conditions: Conditions) -> list[Further]:
    found: list[Further] = []
    if conditions.method:
        methods = frozenset(method.encode("ascii") for method in conditions.method)
        found.append(lambda head, asker: head.method in methods)
    if conditions.client:
        holds = lru_cache(maxsize=4096)(Networks(conditions.client).__contains__)
        found.append(lambda head, asker: holds(asker.address))
    if conditions.sni:
        found.append(_sni(host_test(conditions.sni)))
    found += [_header(name, value_test(pattern)) for name, pattern in conditions.header.items()]
    found += [_parameter(name.encode(), value_test(pattern)) for name, pattern in conditions.query.items()]
    return found


def _sni(test: Test) -> Further:
    def sni(head: RequestHead, asker: Asker) -> object:
        name = asker.sni
        return name is not None and test(name_of(name.encode("utf-8")))

    return sni


def _header(name: str, test: Test) -> Further:
    find = finder_of(name.encode("ascii"))
    return lambda head, asker: any(test(value.strip(b" \t")) for value in find(head.fields))


def _parameter(name: bytes, test: Test) -> Further:
    return lambda head, asker: any(test(value) for value in query_values(head.target, name))
