"""The file that keeps changes over a restart: of mode 0600, replaced whole, not believed when it may be another's."""

import json
import logging
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from hapair.changes.register import Entry
from hapair.wire import from_plain, to_plain

log = logging.getLogger(__name__)

FILE: Final = "changes"
VERSION: Final = 1
LIMIT_BYTES: Final = 8 << 20


class Unbelievable(Exception):  # noqa: N818 - named for what happened
    """The file is not ours, or damaged; the words say what is wrong with it."""


def load(folder: Path) -> tuple[Entry, ...]:
    """What was kept. Nothing, and a warning, where the file cannot be believed."""
    path = folder / FILE
    try:
        return _parse(_read(path))
    except FileNotFoundError:
        return ()
    except (Unbelievable, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        log.warning("changes of servers from before this start are ignored", extra={"path": path, "reason": reason})
        return ()


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _believe(os.fstat(fd))
        with open(fd, "rb", closefd=False) as file:
            data = file.read(LIMIT_BYTES + 1)
    finally:
        os.close(fd)
    if len(data) > LIMIT_BYTES:
        raise Unbelievable("it is too long")
    return data


def _believe(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unbelievable("it is no file")
    if status.st_uid not in (0, os.geteuid()):
        raise Unbelievable("it belongs to another user")
    if status.st_mode & 0o022:
        raise Unbelievable("others may write it")


def _parse(data: bytes) -> tuple[Entry, ...]:
    try:
        document: Any = json.loads(data)
        if document["version"] != VERSION:
            raise Unbelievable(f"it is of version {str(document['version'])[:20]}")
        entries: tuple[Entry, ...] = from_plain(document["changes"], tuple[Entry, ...])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise Unbelievable(f"it is damaged: {str(error)[:100]}") from error
    return entries


def save(folder: Path, entries: Iterable[Entry]) -> None:
    """Whole, or not at all. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh, path = folder / f"{FILE}.new", folder / FILE
    document = {"version": VERSION, "changes": [to_plain(one) for one in entries]}
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        json.dump(document, file, separators=(",", ":"))
        file.flush()
        os.fsync(fd)
    fresh.replace(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
