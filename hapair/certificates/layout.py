"""Which files of a folder belong together. Pure.

What certbot (`live/NAME/fullchain.pem` and `privkey.pem`), lego (`NAME.crt` and `NAME.key`) and HAProxy (`NAME.pem`
with the key in it, or in `NAME.pem.key`) leave behind is known by its names.
"""

from collections.abc import Iterable

Pair = tuple[str, str | None]
"""Names of the file with the certificate and of the one with the key; None: it is the same file."""


def pairs_in(names: Iterable[str]) -> tuple[Pair, ...]:
    """From the names in a folder, in their order. Other files are left alone."""
    there = set(names)
    if {"fullchain.pem", "privkey.pem"} <= there:
        return (("fullchain.pem", "privkey.pem"),)
    return tuple(pair for name in sorted(there) if (pair := _pair(name, there)) is not None)


def _pair(name: str, there: set[str]) -> Pair | None:
    stem, dot, kind = name.rpartition(".")
    if not dot or stem.endswith(".issuer") or name.startswith("."):
        return None
    if kind == "pem":
        return name, next((key for key in (f"{name}.key", f"{stem}.key") if key in there), None)
    if kind in ("crt", "cer"):
        return name, next((key for key in (f"{name}.key", f"{stem}.key") if key in there), None)
    return None
