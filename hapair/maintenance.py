"""Whether this node is in maintenance: said by a person, and remembered in a file over restarts."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

FILE = "maintenance"


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Who said so, and when in seconds of the Unix epoch; 0: that could not be read."""

    by: str
    since: float

    @property
    def reason(self) -> str:
        """For the election, and whoever asks why."""
        return f"in maintenance, by {self.by}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what `remember` wrote; whatever else it is, the node is in maintenance."""
        try:
            plain = json.loads(text)
            return cls(by=str(plain["by"]), since=float(plain["since"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return cls(by="a file that cannot be read", since=0.0)


def remembered(folder: Path) -> Maintenance | None:
    """What was said before this start; None: nothing. A file that is there and cannot be read counts."""
    path = folder / FILE
    try:
        return Maintenance.parse(path.read_bytes()[:4096].decode("utf-8", "replace"))
    except FileNotFoundError:
        return None
    except PermissionError:
        return Maintenance.parse("")


def remember(folder: Path, maintenance: Maintenance) -> None:
    """Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump({"by": maintenance.by, "since": maintenance.since}, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def forget(folder: Path) -> None:
    """Raises OSError."""
    (folder / FILE).unlink(missing_ok=True)
