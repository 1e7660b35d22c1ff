"""What cookies that name servers are signed with: the same on both nodes, and after a restart."""

import errno
import logging
import os
import secrets
from pathlib import Path

from vrrp.authentication import derive

log = logging.getLogger(__name__)

FILE = "cookies.key"
KEY_BYTES = 32
_PURPOSE = b"persistence cookies"
_EXPECTED = (errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENOENT, errno.EDQUOT, errno.EPERM)


def cookie_key(secret: bytes | None, folder: Path) -> bytes:
    """Derived from the pair's secret; without one, kept in `folder` for its owner alone (0600).

    Where nothing can be kept there, cookies are worth nothing after a restart of the node.
    """
    if secret is not None:
        return derive(secret, _PURPOSE)
    path = folder / FILE
    try:
        return _read(path) or _make(path)
    except OSError as error:
        if error.errno not in _EXPECTED:
            raise
        log.warning("the key of cookies is not kept", extra={"path": path, "detail": error.strerror})
        return secrets.token_bytes(KEY_BYTES)


def _read(path: Path) -> bytes | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with open(file, "rb") as stream:
        key = stream.read(KEY_BYTES + 1)
    return key if len(key) == KEY_BYTES else None


def _make(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(file, "wb") as stream:
        stream.write(key)
    os.replace(fresh, path)
    return key
