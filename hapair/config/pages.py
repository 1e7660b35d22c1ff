"""The files whose text answers are made of: read once, when a node starts, and given to its workers."""

import os
from collections.abc import Mapping
from pathlib import Path

from hapair.config.errors import ConfigError, Problem
from hapair.config.load import Loaded

MOST_BYTES = 256 * 1024
"""Of one file: each worker holds it, and sends it with every answer."""
MOST_BYTES_IN_ALL = 4 * 1024 * 1024


def read_pages(loaded: Loaded) -> Mapping[str, bytes]:
    """The text of every file that the configuration names, by name as it is written. Raises ConfigError."""
    pages: dict[str, bytes] = {}
    problems = []
    for name, place in loaded.pages.items():
        try:
            pages[name] = _read(os.path.join(os.path.dirname(loaded.path), name))
        except ValueError as error:
            problems.append(Problem(place.position, place.where, f"{name} {error}"))
        except OSError as error:
            problems.append(Problem(place.position, place.where, f"{name} cannot be read: {error.strerror}"))
    if not problems and sum(map(len, pages.values())) > MOST_BYTES_IN_ALL:
        place = next(iter(loaded.pages.values()))
        problems.append(Problem(place.position, place.where, "all pages together are larger than 4MiB"))
    if problems:
        raise ConfigError(loaded.path, problems)
    return pages


def _read(path: str) -> bytes:
    with Path(path).open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError("is larger than 256KiB")
    return data
