"""Names of servers as clients are told them: opaque, signed, the same on every worker and node that has the key. Pure.

    id[8] signature[16]                           32 characters of base64url
    id[8] first[6] seen[6] signature[16]          48: when it was first given, when it was last renewed

An id is a keyed hash of pool and server: it tells nobody their names, or that two pools share a server. The signature
is HMAC-SHA256, cut to 128 bits, over the name of the cookie and all that comes before it.
"""

import base64
import hmac
import re
from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

from balancer.config_persistence import CookieSettings

TOKEN: Final = rb"[A-Za-z0-9_-]{48}|[A-Za-z0-9_-]{32}"
_TOKEN: Final = re.compile(TOKEN)
_ID: Final = 8
_DATE: Final = 6
_SIGNATURE: Final = 16
AHEAD_S: Final = 86_400
"""A token may be so much from the future: the clocks of two nodes differ."""
_RENEWED_AT: Final = 10
"""A token that may be idle for some time is renewed after this part of it."""


class Verdict(Enum):
    """What a token is worth."""

    NONE = "none"
    """There was none."""
    ACCEPTED = "accepted"
    FORGED = "forged"
    """Not signed by us."""
    STALE = "stale"
    """Too old, or of a server that is not here."""


class Reading(NamedTuple):
    """What a client's token says."""

    verdict: Verdict
    server: str | None = None
    first_at: int = 0
    """When the client was first given this server, in seconds since 1970; 0: it does not say."""
    due: bool = False
    """It is to be renewed."""
    code: str = "V"
    """HAProxy's letter for it, in its log: Valid, No cookie, Invalid, Expired (idle too long), too Old."""


NOTHING: Final = Reading(Verdict.NONE, code="N")
_FORGED: Final = Reading(Verdict.FORGED, code="I")
_UNKNOWN: Final = Reading(Verdict.STALE, code="I")
_EXPIRED: Final = Reading(Verdict.STALE, code="E")
_OLD: Final = Reading(Verdict.STALE, code="O")


class Tokens:
    """Of one pool. `now` is in seconds since 1970."""

    def __init__(self, key: bytes, pool: str, config: CookieSettings, servers: Iterable[str]) -> None:
        self._key = key
        self._config = config
        self._context = b"cookie\0" + config.name.encode("ascii") + b"\0"
        self._ids = {server: self._id_of(pool, server) for server in servers}
        self._servers = {one: server for server, one in self._ids.items()}
        self._plain = {one: _encode(self._sealed(one)) for one in self._servers}
        self._renew_after_s = 0.0 if config.max_idle_s is None else config.max_idle_s / _RENEWED_AT

    def _id_of(self, pool: str, server: str) -> bytes:
        said = b"server\0%b\0%b" % (pool.encode(), server.encode())
        return hmac.digest(self._key, said, "sha256")[:_ID]

    def _sealed(self, payload: bytes) -> bytes:
        return payload + hmac.digest(self._key, self._context + payload, "sha256")[:_SIGNATURE]

    def make(self, server: str, now: int, first_at: int = 0) -> bytes:
        """The token of a server. `first_at`: since when the client has it; 0: since now."""
        one = self._ids[server]
        if not self._config.dated:
            return self._plain[one]
        dates = (first_at or now).to_bytes(_DATE, "big") + now.to_bytes(_DATE, "big")
        return _encode(self._sealed(one + dates))

    def read(self, token: bytes, now: int) -> Reading:
        """What it says. Signatures are compared in constant time."""
        data = _decode(token)
        if data is None:
            return _FORGED
        payload = data[:-_SIGNATURE]
        if not hmac.compare_digest(data, self._sealed(payload)):
            return _FORGED
        server = self._servers.get(payload[:_ID])
        if server is None:
            return _UNKNOWN
        if len(payload) == _ID:
            return Reading(Verdict.ACCEPTED, server, due=self._config.dated)
        first_at = int.from_bytes(payload[_ID : _ID + _DATE], "big")
        seen_at = int.from_bytes(payload[_ID + _DATE :], "big")
        return self._dated(server, first_at, seen_at, now)

    def _dated(self, server: str, first_at: int, seen_at: int, now: int) -> Reading:
        config = self._config
        if config.max_idle_s is not None and now - seen_at > config.max_idle_s:
            return _EXPIRED
        if config.max_life_s is not None and now - first_at > config.max_life_s:
            return _OLD
        if config.dated and max(first_at, seen_at) > now + AHEAD_S:
            return _EXPIRED
        due = config.max_idle_s is not None and now - seen_at >= self._renew_after_s
        return Reading(Verdict.ACCEPTED, server, first_at, due)


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data)


def _decode(token: bytes) -> bytes | None:
    """24 or 36 bytes, for which there is one way to write them; None: it is no token."""
    if not _TOKEN.fullmatch(token):
        return None
    return base64.urlsafe_b64decode(token)
