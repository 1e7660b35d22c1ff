"""`show ssl cert [FILE]`, as HAProxy has it, of what is known of certificates. Pure."""

from collections.abc import Sequence
from typing import Final

from hapair.snapshot import CertificateView, NodeSnapshot

NONE: Final = "Can't display the certificate: Not found or the certificate is a bundle!\n"
_DAY_S: Final = 86_400


def show(node: NodeSnapshot, words: Sequence[str]) -> str:
    """The files, or one of them."""
    known = {one.source: one for one in node.certificates}
    if len(words) < 4:
        return "".join(f"{line}\n" for line in ("# filename", *known)) if known else ""
    one = known.get(words[3])
    return NONE if one is None else "".join(f"{line}\n" for line in _told(one))


def _told(one: CertificateView) -> list[str]:
    lines = [f"Filename: {one.source}", "Status: Used" if one.expires_in_s is not None else "Status: Unused"]
    if one.expires_in_s is not None:
        lines.append(f"Expires in: {int(one.expires_in_s // _DAY_S)}d")
        lines.append(f"Subject Alternative Name: {', '.join(f'DNS:{name}' for name in one.names)}")
        lines.append(f"Algorithm: {one.key}")
    return [*lines, f"Trouble: {one.trouble}"] if one.trouble else lines
