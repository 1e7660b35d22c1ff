"""Which pool a request goes to: the first route whose conditions all hold. Pure."""

from collections.abc import Callable, Sequence

from balancer.config import Route


class RouteTable:
    """The routes of one frontend, made ready for matching on the bytes of a request."""

    __slots__ = ("_routes", "default")

    def __init__(self, routes: Sequence[Route], default: str | None) -> None:
        self.default = default
        """The pool where no route matches; None: there is none."""
        self._routes = tuple((_host_condition(route.host), _path_condition(route.path), route.pool) for route in routes)

    def choose(self, host: bytes, target: bytes) -> str | None:
        """The name of the pool for a Host header (with or without a port) and a target in origin-form, or None."""
        if not self._routes:
            return self.default
        name = host_name(host)
        path = target.partition(b"?")[0]
        for host_holds, path_holds, pool in self._routes:
            if host_holds(name) and path_holds(path):
                return pool
        return self.default


def host_name(host: bytes) -> bytes:
    """A Host header without its port and the dot of a fully qualified name, in lower case."""
    if not host.startswith(b"["):
        host = host.partition(b":")[0]
    elif not host.endswith(b"]"):
        host = host.rpartition(b":")[0]
    return host.lower().removesuffix(b".")


def _host_condition(pattern: str | None) -> Callable[[bytes], bool]:
    if pattern is None:
        return _anything
    name = pattern.lower().removesuffix(".").encode("ascii")
    if name.startswith(b"*."):
        suffix = name[1:]
        return lambda host: host.endswith(suffix) and len(host) > len(suffix)
    return lambda host: host == name


def _path_condition(pattern: str | None) -> Callable[[bytes], bool]:
    if pattern is None:
        return _anything
    path = pattern.encode("utf-8")
    if path.endswith(b"*"):
        prefix = path[:-1]
        return lambda candidate: candidate.startswith(prefix)
    return lambda candidate: candidate == path


def _anything(value: bytes) -> bool:
    return True
