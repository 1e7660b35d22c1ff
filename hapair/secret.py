"""The secret that the nodes of a pair share: what adverts and the link between them are signed with."""

import errno
import grp
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

SECRET_BYTES = 32
_WRITTEN = re.compile(rb"[0-9a-f]{64}\n?")
_MORE_THAN_ENOUGH_BYTES = 1024


class SecretError(Exception):
    """There is no secret to be had from this file; the words say what to do."""


def make(path: Path, *, group: int | None = None) -> None:
    """Write a new secret, 64 hexadecimal digits, for its owner alone (0600), or for a group to read as well (0640).

    Never overwrites: raises SecretError where the file is there, or cannot be written.
    """
    text = secrets.token_hex(SECRET_BYTES) + "\n"
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise SecretError(f"{path} is there already; both nodes need the same one, so it is left as it is") from None
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.ENOENT, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            raise
        raise SecretError(f"{path} cannot be made: {error.strerror}") from error
    with open(file, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        if group is not None:
            os.fchown(file, -1, group)
            os.fchmod(file, 0o640)
        os.fsync(file)


def load(path: str | Path) -> bytes:
    """The secret: 32 bytes. Raises SecretError where it is missing, open to others, or not what `make` writes."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        raise SecretError(f"{path} is not there: make it with `hapair init`, or copy it from the other node") from None
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
            raise
        hint = "; the service runs as the user hapair: chgrp hapair, chmod 0640" if error.errno == errno.EACCES else ""
        raise SecretError(f"{path} cannot be read: {error.strerror}{hint}") from error
    try:
        _check_access(path, os.fstat(file))
        text = os.read(file, _MORE_THAN_ENOUGH_BYTES)
    finally:
        os.close(file)
    if not _WRITTEN.fullmatch(text):
        raise SecretError(f"{path} is not a secret of hapair's, 64 hexadecimal digits; `hapair init` makes one")
    return bytes.fromhex(text.decode("ascii"))


def _check_access(path: str | Path, status: os.stat_result) -> None:
    """A secret that others could read or replace is none. A group may read: the service has a user of its own."""
    if not stat.S_ISREG(status.st_mode):
        raise SecretError(f"{path} is not a regular file")
    if status.st_mode & (stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP):
        mode = stat.S_IMODE(status.st_mode)
        raise SecretError(
            f"{path} is open to others (mode {mode:04o}): chmod 0600, or 0640 for the group hapair to read"
        )
    if status.st_uid not in (0, os.geteuid()):
        raise SecretError(f"{path} belongs to another user (uid {status.st_uid}): chown root")


def group_of_service(name: str = "hapair") -> int | None:
    """The id of the group that the service runs as, where the system has it and this process may give files to it."""
    with suppress(KeyError):
        return grp.getgrnam(name).gr_gid if os.geteuid() == 0 else None
    return None
