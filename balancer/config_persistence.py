"""How clients come back to the server that they had: by a cookie, by their address. Frozen; validates itself. Pure."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from balancer.fieldtypes import STRICT, Seconds, Shorthand

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ATTRIBUTE = re.compile(r"[ -:<-~]+")
MOST_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSettings:
    """A cookie that names a server, signed. In a file `cookie: HAPAIR` is short for `cookie: {name: HAPAIR}`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    name: str
    mode: Literal["insert", "rewrite", "prefix"] = "insert"
    """It is one of ours; or the value of one of the servers' is replaced, or gets something in front."""
    indirect: bool = True
    """For `insert`: servers do not see it."""
    nocache: bool = True
    """For `insert`: a response that sets it says Cache-Control: private."""
    post_only: bool = False
    """For `insert`: only responses to POST set it."""
    preserve: bool = False
    """For `insert`: where a server sets a cookie of this name, or clears it, that goes on instead."""
    secure: bool | None = None
    """Only for https; None: where the client came by TLS."""
    http_only: bool = True
    same_site: Literal["strict", "lax", "none"] | None = "lax"
    domain: str | None = None
    path: str = "/"
    max_age_s: Seconds | None = None
    """How long a browser keeps it; None: until it is closed."""
    max_idle_s: Seconds | None = None
    """A cookie that was not used for so long is not believed."""
    max_life_s: Seconds | None = None
    """Nor is one that was first given longer ago."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("name must be that of a cookie: letters, digits and -_.")
        if self.same_site == "none" and self.secure is False:
            raise ValueError("secure must not be false with same_site: none, which browsers take from https alone")
        if self.domain is not None and not _ATTRIBUTE.fullmatch(self.domain):
            raise ValueError("domain must be a name, for example example.org")
        if not self.path.startswith("/") or not _ATTRIBUTE.fullmatch(self.path):
            raise ValueError("path must begin with a slash and have no semicolon")
        for key in ("max_age", "max_idle", "max_life"):
            limit_s = getattr(self, f"{key}_s")
            if limit_s is not None and limit_s < 1.0:
                raise ValueError(f"{key} must be at least 1s")
        self._check_mode()

    def _check_mode(self) -> None:
        if self.mode == "insert":
            return
        for key, default in (("indirect", True), ("nocache", True), ("post_only", False), ("preserve", False)):
            if getattr(self, key) != default:
                raise ValueError(f"{key} needs mode: insert; with {self.mode} the cookie is the server's")
        for key in ("secure", "domain", "max_age_s"):
            if getattr(self, key) is not None:
                raise ValueError(f"{key.removesuffix('_s')} needs mode: insert; with {self.mode} the server says it")

    @property
    def dated(self) -> bool:
        """Whether it tells how old it is."""
        return self.max_idle_s is not None or self.max_life_s is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """A table of clients by address and the server of each, shared by all workers and both nodes."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    size: int = 20_000
    """Clients; beyond it the one that was quiet for longest is forgotten."""
    expiry_s: Seconds = 1800.0
    """A client that was quiet for so long is forgotten."""
    ipv4_prefix: int = 32
    """Clients whose addresses begin with the same so many bits are one."""
    ipv6_prefix: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MOST_ENTRIES:
            raise ValueError(f"size must be from 1 to {MOST_ENTRIES}")
        if self.expiry_s < 1.0:
            raise ValueError("expiry must be at least 1s")
        if not 1 <= self.ipv4_prefix <= 32:
            raise ValueError("ipv4_prefix must be from 1 to 32")
        if not 1 <= self.ipv6_prefix <= 128:
            raise ValueError("ipv6_prefix must be from 1 to 128")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistenceSettings:
    """With both, a cookie counts more than an address."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    cookie: Annotated[CookieSettings, Shorthand("name")] | None = None
    """For `mode: http`."""
    source: SourceSettings | None = None

    def __post_init__(self) -> None:
        if self.cookie is None and self.source is None:
            raise ValueError("persistence needs a cookie, a source, or both")
