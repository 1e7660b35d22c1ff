"""Tables in a file, for the next start of the node: for its owner alone, never half written."""

import errno
import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from balancer.persistence.table import Entry

log = logging.getLogger(__name__)

FILE = "sources.json"
_EXPECTED = (errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENOENT, errno.EDQUOT, errno.EPERM, errno.ELOOP)
_LARGEST_BYTES = 1 << 29


def save(folder: Path, tables: Mapping[str, Iterable[Entry]], *, now: float, date_s: float) -> bool:
    """Write them. `now` is on the clock of `used_at`, `date_s` the same moment's date. False where that cannot be."""
    rows = {
        pool: [[one.client, one.server, one.version, round(now - one.used_at, 3)] for one in entries]
        for pool, entries in tables.items()
    }
    path = folder / FILE
    fresh = path.with_suffix(".new")
    try:
        fresh.unlink(missing_ok=True)
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(file, "w", encoding="ascii") as stream:
            json.dump({"saved_at": date_s, "tables": rows}, stream, separators=(",", ":"))
        os.replace(fresh, path)
    except OSError as error:
        if error.errno not in _EXPECTED:
            raise
        log.warning("tables of clients are not kept", extra={"path": path, "detail": error.strerror})
        return False
    return True


def load(folder: Path, *, now: float, date_s: float) -> dict[str, list[Entry]]:
    """What was written last, as much older as the date says; empty where there is none, or none that makes sense."""
    path = folder / FILE
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            text = stream.read(_LARGEST_BYTES)
    except OSError as error:
        if error.errno not in _EXPECTED:
            raise
        return {}
    try:
        document = json.loads(text)
        passed_s = max(0.0, date_s - float(document["saved_at"]))
        return {str(pool): [_entry(row, now - passed_s) for row in rows] for pool, rows in document["tables"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        log.warning("tables of clients cannot be read", extra={"path": path, "detail": str(error)[:100]})
        return {}


def _entry(row: Any, saved_at: float) -> Entry:
    client, server, version, age_s = row
    if not (isinstance(client, str) and isinstance(server, str) and type(version) is int and 0 <= version < 1 << 62):
        raise TypeError("a row that is none")
    return Entry(client, server, version, saved_at - float(age_s))
