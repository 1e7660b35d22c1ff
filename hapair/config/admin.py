"""`admin` of the file: where metrics and statistics are served, and to whom. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated, Any, ClassVar, Literal, Self

from balancer.config_tls import FrontendTls
from balancer.fieldtypes import STRICT, Endpoint, ListenEndpoint, OneOrMore, Shorthand

Level = Literal["viewer", "admin"]
"""A viewer reads, an admin may also change how servers stand."""
_HASH = re.compile(r"scrypt:([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2}):((?:[0-9a-f]{2}){8,64}):((?:[0-9a-f]{2}){16,64})")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}")


@dataclass(frozen=True, slots=True)
class ScryptHash:
    """A password that was put through scrypt (RFC 7914): cost N = 2 ** log2_n, block size r, parallelization p."""

    log2_n: int
    r: int
    p: int
    salt: bytes
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `scrypt:LOG2_N:R:P:SALT:KEY`, the last two in hexadecimal digits. Raises ValueError."""
        match = _HASH.fullmatch(text)
        if not match:
            raise ValueError("must be what `hapair password` prints: scrypt: and what follows")
        log2_n, r, p = (int(match[place]) for place in (1, 2, 3))
        if not (10 <= log2_n <= 20 and 1 <= r <= 32 and 1 <= p <= 16 and 128 * r << log2_n <= 1 << 28):
            raise ValueError("must cost scrypt at least 2**10 and at most 256 MiB; make one with `hapair password`")
        return cls(log2_n, r, p, bytes.fromhex(match[4]), bytes.fromhex(match[5]))

    def __str__(self) -> str:
        return f"scrypt:{self.log2_n}:{self.r}:{self.p}:{self.salt.hex()}:{self.key.hex()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminUser:
    """Who may log in, and what for."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    password: str = field(repr=False)
    """As `hapair password` prints it."""
    level: Level = "admin"

    def __post_init__(self) -> None:
        try:
            ScryptHash.parse(self.password)
        except ValueError as error:
            raise ValueError(f"password {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSection:
    """Metrics and statistics by HTTP."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    listen: Annotated[tuple[ListenEndpoint, ...], OneOrMore()]
    users: Mapping[str, Annotated[AdminUser, Shorthand("password")]] = field(default_factory=dict)
    """None: only this machine may look, and nobody may change anything."""
    tls: FrontendTls | None = None
    """None: names and passwords travel in clear."""

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("listen must name at least one address")
        if any(one.is_unix for one in self.listen):
            raise ValueError("listen must be ADDRESS:PORT; for programs of this machine there is the runtime socket")
        if len(set(self.listen)) != len(self.listen):
            raise ValueError("listen must not name an address twice")
        if wrong := [name for name in self.users if not _USER.fullmatch(name)]:
            raise ValueError(f"{wrong[0]!r} is not a name for a user: letters, digits, _ . @ and -, at most 63")
        if self.tls is not None and self.tls.alpn:
            raise ValueError("tls.alpn is for frontends of mode tcp; the admin server speaks http/1.1")
        if not self.users and (far := [one for one in self.listen if not _is_near(one.host)]):
            raise ValueError(
                f"listen must be at a loopback address, or on every address (:{far[0].port}), while there are no "
                "users: only this machine is answered then; `hapair password` makes a line for users"
            )

    @property
    def bound(self) -> tuple[Endpoint, ...]:
        """Where to listen: without users on loopback only."""
        if self.users:
            return self.listen
        near = (one for endpoint in self.listen for one in _near(endpoint))
        return tuple(dict.fromkeys(near))


def _is_near(host: str) -> bool:
    return ip_address(host).is_loopback or ip_address(host).is_unspecified


def _near(endpoint: Endpoint) -> tuple[Endpoint, ...]:
    match endpoint.host:
        case "::":
            return Endpoint("127.0.0.1", endpoint.port), Endpoint("::1", endpoint.port)
        case "0.0.0.0":
            return (Endpoint("127.0.0.1", endpoint.port),)
    return (endpoint,)
