"""Passwords through scrypt: making what the file holds, and comparing with it. Slow by design: call it in a thread."""

import hashlib
import hmac
import os

from hapair.config.admin import ScryptHash

LOG2_N, R, P = 14, 8, 5
"""16 MiB and a tenth of a second of a common core."""
_SALT_BYTES, _KEY_BYTES = 16, 32


def make(password: str, *, log2_n: int = LOG2_N, r: int = R, p: int = P) -> ScryptHash:
    """What the file is to hold."""
    salt = os.urandom(_SALT_BYTES)
    return ScryptHash(log2_n, r, p, salt, _derive(password.encode(), salt, log2_n, r, p, _KEY_BYTES))


def matches(password: bytes, known: ScryptHash) -> bool:
    """Whether this is the password, in a time that does not tell how much of it is right."""
    key = _derive(password, known.salt, known.log2_n, known.r, known.p, len(known.key))
    return hmac.compare_digest(key, known.key)


NOBODYS = ScryptHash(LOG2_N, R, P, bytes(_SALT_BYTES), bytes(_KEY_BYTES))
"""For names that there are not: finding that out takes as long as a wrong password."""


def _derive(password: bytes, salt: bytes, log2_n: int, r: int, p: int, length: int) -> bytes:
    memory = 128 * r * ((1 << log2_n) + p + 2)
    return hashlib.scrypt(password, salt=salt, n=1 << log2_n, r=r, p=p, maxmem=memory + 65_536, dklen=length)
