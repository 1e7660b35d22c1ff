"""Answers to ACME challenges (RFC 8555 section 8.3) from files that certbot, lego or their kind have written.

The file is looked for at each request: it is written just before it is asked for, and gone soon after. It is small, and
asked for a few times a year, so that reading it may stop the loop for a moment.
"""

import errno
import os
import re
import stat

_TOKEN = re.compile(rb"[A-Za-z0-9_-]{1,128}")
_MOST_BYTES = 4096
_BELOW = (".well-known/acme-challenge", "")


def key_authorization(directory: str, token: bytes) -> bytes | None:
    """What the file of a token holds; None where there is none, or where `token` could not be one.

    Looked for below `directory` where a web server would have it, then in `directory` itself.
    """
    if not _TOKEN.fullmatch(token):
        return None
    for below in _BELOW:
        found = _read(os.path.join(directory, below, token.decode("ascii")))
        if found is not None:
            return found
    return None


def _read(path: str) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    try:
        return os.read(fd, _MOST_BYTES) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)
