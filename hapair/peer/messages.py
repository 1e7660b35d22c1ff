"""What two node processes say to each other, and how it is written and read. Pure.

A message is JSON (hapair/wire.py), compressed, in as many pieces as the frames of the session need. Both ends are this
program and the link is authenticated; what comes is decoded strictly and within limits nevertheless.
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hapair.changes.messages import PeerChanges
from hapair.events.messages import PeerEvents
from hapair.handover.asked import PeerAsksForVips, PeerOnItsWay
from hapair.persistence.messages import PeerForgetSources, PeerSources, PeerSourcesTaken
from hapair.wire import WireError, decode, encode
from vrrp.liveness.session import BODY_LIMIT_BYTES

PIECE_BYTES = BODY_LIMIT_BYTES - 1
COMPRESSED_LIMIT_BYTES = 4 << 20
PLAIN_LIMIT_BYTES = 16 << 20
_MORE, _LAST = b"+", b"."


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing but that we are there."""


@dataclass(frozen=True, slots=True)
class Status:
    """How this node is. Plain, so that another version of hapair can be told from one that makes no sense."""

    hapair: str
    snapshot: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FileDigests:
    """What this node's file says: a keyed digest for each value, by its place in the file (hapair/peer/drift.py)."""

    digests: Mapping[str, str]


_OTHERS = (PeerSources, PeerSourcesTaken, PeerForgetSources, PeerAsksForVips, PeerOnItsWay, PeerEvents)
KNOWN: Mapping[str, type] = {kind.__name__: kind for kind in (Alive, Status, FileDigests, *_OTHERS, PeerChanges)}
"""Whoever has more to say adds its types here."""


class Unreadable(Enum):
    """Why."""

    FRAMING = "a piece of no known kind"
    TOO_LONG = "a message that is too long"
    COMPRESSION = "a message that does not decompress"
    CONTENT = "a message that is not known here"


class MessageRejected(Exception):  # noqa: N818 - named for what happened
    """These bytes are no message. After CONTENT the talk can go on: the peer may be of a later version."""

    def __init__(self, reason: Unreadable, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason


def pieces(message: object) -> Iterator[bytes]:
    """The bodies of the frames that carry it."""
    data = zlib.compress(encode(message), 1)
    for start in range(0, len(data), PIECE_BYTES):
        end = start + PIECE_BYTES
        yield (_LAST if end >= len(data) else _MORE) + data[start:end]


class Assembler:
    """Pieces to messages."""

    def __init__(self, known: Mapping[str, type] = KNOWN) -> None:
        self._known = known
        self._pieces: list[bytes] = []
        self._length = 0

    def take(self, piece: bytes) -> Any | None:
        """The message that this completes; None: there is more to come. Raises MessageRejected."""
        kind, data = piece[:1], piece[1:]
        if kind not in (_MORE, _LAST):
            raise MessageRejected(Unreadable.FRAMING)
        self._length += len(data)
        if self._length > COMPRESSED_LIMIT_BYTES:
            raise MessageRejected(Unreadable.TOO_LONG)
        self._pieces.append(data)
        if kind == _MORE:
            return None
        whole = b"".join(self._pieces)
        self._pieces, self._length = [], 0
        return self._read(whole)

    def _read(self, data: bytes) -> Any:
        inflater = zlib.decompressobj()
        try:
            plain = inflater.decompress(data, PLAIN_LIMIT_BYTES)
        except zlib.error as error:
            raise MessageRejected(Unreadable.COMPRESSION, str(error)) from error
        if inflater.unconsumed_tail:
            raise MessageRejected(Unreadable.TOO_LONG)
        if not inflater.eof or inflater.unused_data:
            raise MessageRejected(Unreadable.COMPRESSION, "it is not whole")
        try:
            return decode(plain, self._known)
        except WireError as error:
            raise MessageRejected(Unreadable.CONTENT, str(error)[:100]) from error
