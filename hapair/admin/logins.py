"""Who is asking: HTTP Basic (RFC 7617) against the users of the file, in threads, and remembered for a while."""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass

import trio

from hapair.admin import passwords
from hapair.admin.attempts import Attempts
from hapair.config.admin import AdminUser, Level, ScryptHash

REMEMBERED_S = 300.0
_MOST_REMEMBERED = 64
_AT_ONCE = 2
"""Threads, each with the memory that scrypt takes."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; `level` None: nobody that we know."""

    name: str
    level: Level | None


class TooManyAttempts(Exception):  # noqa: N818 - named for what happened
    """Wrong passwords came from there too often."""

    def __init__(self, pause_s: float) -> None:
        super().__init__(f"too many wrong passwords; wait {pause_s:.0f} s")
        self.pause_s = pause_s


NOBODY = Caller("", None)
NEAR = Caller("this machine", "viewer")
"""Without users whoever can reach loopback may look."""


class Logins:
    """The users, and who has shown a password lately."""

    def __init__(self, users: Mapping[str, AdminUser]) -> None:
        self._users = {name: (ScryptHash.parse(user.password), user.level) for name, user in users.items()}
        self.attempts = Attempts()
        self._secret = os.urandom(32)
        self._remembered: dict[bytes, tuple[Caller, float]] = {}
        self._threads = trio.CapacityLimiter(_AT_ONCE)

    @property
    def has_users(self) -> bool:
        return bool(self._users)

    async def caller(self, client: str, authorization: bytes | None) -> Caller:
        """Who asks from the address `client` with this value of Authorization. Raises TooManyAttempts."""
        if not self._users:
            return NEAR
        given = None if authorization is None else _credentials(authorization)
        if given is None:
            return NOBODY
        now = trio.current_time()
        token = hmac.digest(self._secret, b"\0".join(given), hashlib.sha256)
        known = self._remembered.get(token)
        if known is not None and known[1] > now:
            return known[0]
        return await self._judge(client, token, *given)

    async def _judge(self, client: str, token: bytes, name: bytes, password: bytes) -> Caller:
        if pause_s := self.attempts.pause_s(client, trio.current_time()):
            raise TooManyAttempts(pause_s)
        user = name.decode("utf-8", "replace")
        known, level = self._users.get(user, (passwords.NOBODYS, None))
        is_right = await trio.to_thread.run_sync(passwords.matches, password, known, limiter=self._threads)
        if not is_right or level is None:
            self.attempts.fail(client, trio.current_time())
            return NOBODY
        self.attempts.succeed(client)
        caller = Caller(user, level)
        if len(self._remembered) >= _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[token] = caller, trio.current_time() + REMEMBERED_S
        return caller


def _credentials(authorization: bytes) -> tuple[bytes, bytes] | None:
    """Name and password; None where it is no such thing."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(b" "), validate=True).partition(b":")
    except binascii.Error:
        return None
    return (name, password) if colon and b"\0" not in name else None
