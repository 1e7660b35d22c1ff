"""What an exit status, a file's content, a pool's servers say. Pure."""

import re
from collections.abc import Iterable
from typing import Literal

from hapair.tracking.watch import Finding

Expect = Literal["present", "absent", "number"]

_NUMBER = re.compile(rb"\s*([+-]?[0-9]{1,4})\s*")
CLOSES_GATE = -254
"""The lowest number that a file can hold: no priority is left, so the router takes no part."""
HIGHEST = 254


def of_script(*, ok: bool, how: str, output: str) -> Finding:
    """Its first line says more than its exit status."""
    return Finding(ok, f"{how}: {output}" if output else how)


def of_file(expect: Expect, content: bytes | None) -> Finding:
    """`content` is the beginning of the file; None: there is no such file."""
    if expect == "number":
        return _of_number(content)
    is_there = content is not None
    return Finding(is_there == (expect == "present"), "the file is there" if is_there else "the file is not there")


def _of_number(content: bytes | None) -> Finding:
    """A file that is missing or empty weighs nothing."""
    if content is None or not content.strip():
        return Finding(True, "the file holds no number", weight=0)
    match = _NUMBER.fullmatch(content)
    if match is None:
        return Finding(False, "the file holds something else than one whole number", is_gate=True)
    number = min(HIGHEST, max(CLOSES_GATE, int(match[1])))
    if number == CLOSES_GATE:
        return Finding(False, f"the file says {CLOSES_GATE}", is_gate=True)
    return Finding(number >= 0, f"the file says {number}", weight=number)


def of_pool(up: Iterable[bool], *, at_least: int) -> Finding:
    """`up`: of each server whether it is UP."""
    servers = list(up)
    count = sum(servers)
    return Finding(count >= at_least, f"{count} of {len(servers)} servers UP")
