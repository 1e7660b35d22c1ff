"""Whether one route leaves another nothing to do: everything that the later one matches, the earlier one takes. Pure.

Only what is sure counts: a regular expression covers itself and the plain texts that it matches, and no other one.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence

from balancer.config_routes import Conditions, Route
from balancer.patterns import covers_host, covers_path, covers_value


def covers(earlier: Route, later: Route) -> bool:
    """Whether no request ever reaches `later` behind `earlier`."""
    return implied(earlier, later) and all(
        any(_same_or_wider(avoided, exception) for avoided in later.unless) or _excluded(exception, later)
        for exception in earlier.unless
    )


def takes_everything(route: Route) -> bool:
    """Whether no request passes it by."""
    return not route.unless and implied(route, Conditions())


def implied(wide: Conditions, narrow: Conditions) -> bool:
    """Whether all that `wide` asks for surely holds where all that `narrow` asks for does."""
    return (
        _texts(wide.host, narrow.host, covers_host, everything=("*",))
        and _texts(wide.path, narrow.path, covers_path, everything=("/*",))
        and _texts(wide.sni, narrow.sni, covers_host)
        and (not wide.method or (bool(narrow.method) and set(narrow.method) <= set(wide.method)))
        and _networks(wide.client, narrow.client)
        and _values(_lower(wide.header), _lower(narrow.header))
        and _values(wide.query, narrow.query)
    )


def _same_or_wider(avoided: Conditions, exception: Conditions) -> bool:
    """The later route avoids all that the earlier one lets by."""
    return implied(avoided, exception)


def _excluded(exception: Conditions, later: Route) -> bool:
    """Whether what the earlier route lets by has surely nothing to do with what the later one matches: by method."""
    return bool(exception.method and later.method) and not set(exception.method) & set(later.method)


def _texts(
    wide: Sequence[str], narrow: Sequence[str], covers_one: Callable[[str, str], bool], everything: Sequence[str] = ()
) -> bool:
    if not wide or any(pattern in everything for pattern in wide):
        return True
    return bool(narrow) and all(any(covers_one(one, other) for one in wide) for other in narrow)


def _networks(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    if not wide:
        return True
    networks = [ipaddress.ip_network(one) for one in wide]
    return bool(narrow) and all(
        any(_within(ipaddress.ip_network(other), network) for network in networks) for other in narrow
    )


def _within(inner: ipaddress.IPv4Network | ipaddress.IPv6Network, outer: object) -> bool:
    match inner, outer:
        case ipaddress.IPv4Network(), ipaddress.IPv4Network():
            return inner.subnet_of(outer)
        case ipaddress.IPv6Network(), ipaddress.IPv6Network():
            return inner.subnet_of(outer)
    return False


def _values(wide: Mapping[str, str], narrow: Mapping[str, str]) -> bool:
    return all(name in narrow and covers_value(pattern, narrow[name]) for name, pattern in wide.items())


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): pattern for name, pattern in headers.items()}
