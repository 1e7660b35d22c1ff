"""Certificates and keys as bytes, from whoever may read the files to whoever serves with them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A certificate, its chain and its key."""

    names: tuple[str, ...]
    """DNS names in lower case, perhaps with `*` as the first label."""
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendMaterial:
    """What a frontend serves with."""

    bundles: tuple[Bundle, ...] = ()
    default: int = 0
    """Which bundle is for names that none has."""
    client_ca: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMaterial:
    """What connections to a pool's servers need."""

    ca: bytes | None = None
    """None: the system's authorities."""
    pem: bytes | None = field(default=None, repr=False)
    """A certificate to show, with chain and key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All of one configuration, by frontend and by pool; those without TLS are not in it."""

    frontends: Mapping[str, FrontendMaterial] = field(default_factory=dict)
    pools: Mapping[str, PoolMaterial] = field(default_factory=dict)


def by_name(bundles: tuple[Bundle, ...]) -> dict[str, tuple[int, ...]]:
    """For each name the bundles that have it, by number."""
    found: dict[str, tuple[int, ...]] = {}
    for number, bundle in enumerate(bundles):
        for name in dict.fromkeys(bundle.names):
            found[name] = (*found.get(name, ()), number)
    return found


def key_for(name: str | None, names: Mapping[str, object]) -> str | None:
    """The name, exact or with `*` for its first label (RFC 6125 section 6.4.3), that `name` goes by, or None."""
    if name is None:
        return None
    name = name.lower().removesuffix(".")
    if name in names:
        return name
    wildcard = f"*.{name.partition('.')[2]}"
    return wildcard if wildcard in names else None
