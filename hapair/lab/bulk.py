"""The body of a slow download: bytes that both ends can make, so that one that came whole can be told. Pure."""

import hashlib

PIECE = 1024
"""Bytes that a server sends at once."""


def piece(name: str, number: int) -> bytes:
    """One piece of a body: different for each name and place, so that no mix-up goes unseen."""
    seed = hashlib.sha256(f"{name} {number}".encode()).digest()
    return seed * (PIECE // len(seed))


def digest(name: str, pieces: int) -> str:
    """SHA-256 of a whole body."""
    total = hashlib.sha256()
    for number in range(pieces):
        total.update(piece(name, number))
    return total.hexdigest()


def path(name: str, pieces: int, every_ms: int) -> str:
    """Where such a body is: its pieces come one by one."""
    return f"/bulk/{name}/{pieces}/{every_ms}"


def parse(target: bytes) -> tuple[str, int, int] | None:
    """Name, pieces and milliseconds of a path that `path` made; None for any other."""
    words = target.decode("latin-1").split("/")
    if len(words) == 5 and words[1] == "bulk" and words[3].isdigit() and words[4].isdigit():
        return words[2], int(words[3]), int(words[4])
    return None
