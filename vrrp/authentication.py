"""Signed advertisements between two hapairs: an extension of ours, which no RFC knows. Pure.

Behind the message, which stays what RFC 9568 says, stand 52 bytes:

    2  magic          68 41
    2  balance        makes the one's complement sum of the 52 bytes, and of their number, nothing
    8  epoch          seconds since 1970 when the announcer started; never twice the same, never going backwards
    8  counter        of everything that was signed in this epoch
    32 HMAC-SHA256    of purpose, source address, epoch, counter and message

The balance is for those who look on: a capture program that takes the trailer for part of the message still finds the
checksum right. Routers that are not hapair refuse trailing bytes, keepalived among them: with them it must be off.

A message is accepted once. It may come up to 63 behind the newest of its epoch: whoever can hold messages back can
deliver those late, no others. A verifier that has just started knows no epoch, and takes an old message for a new one
until it has heard the peer or the liveness link has told the epoch. The destination is not signed: multicast and
unicast are one.
"""

import hmac
import struct
from dataclasses import dataclass
from typing import Final

from vrrp.advertisement import AdvertRejected, RejectReason, internet_checksum, message_bytes, vrid_of
from vrrp.config import Address, Authentication

TRAILER_BYTES: Final = 52
LAST_WILL_COUNTER: Final = 1 << 63
"""Where another process of the node begins to count when it speaks for an announcer that died: ahead of it for sure."""

_MAGIC = b"hA"
_PURPOSE = b"hapair vrrp advertisement\0"
_NUMBERS = struct.Struct("!QQ")
_NUMBERS_AT = 4
_WINDOW = 64
_UNKNOWN = -1


def derive(secret: bytes, purpose: bytes) -> bytes:
    """A key for one purpose, 32 bytes, from the pair's secret."""
    return hmac.digest(secret, purpose, "sha256")


class Signer:
    """Signs the adverts of one process. All virtual routers of it may share one."""

    def __init__(self, key: bytes, epoch: int, first_counter: int = 0) -> None:
        """`epoch`: higher than in any earlier start, below 2^64; a last will has that of the announcer."""
        self._key = key
        self._epoch = epoch
        self._counter = first_counter

    @property
    def epoch(self) -> int:
        """What the verifier may be told by another way."""
        return self._epoch

    def sign(self, payload: bytes, source: Address) -> bytes:
        """The payload and its trailer. Each copy that is sent needs a signature of its own."""
        counter, self._counter = self._counter, self._counter + 1
        return payload + _trailer(self._key, payload, source, _NUMBERS.pack(self._epoch, counter))


class Verifier:
    """What was heard from whom so far. An advert that is refused changes nothing."""

    def __init__(self, key: bytes, mode: Authentication) -> None:
        self.unsigned = 0
        """Adverts that were let through without a signature, in permissive mode."""
        self._key = key
        self._mode = mode
        self._windows: dict[tuple[Address, int], _Window] = {}
        self._trusted: dict[Address, int] = {}

    def verify(self, payload: bytes, source: Address) -> bytes:
        """The payload without its trailer. Raises AdvertRejected: AUTHENTICATION, REPLAY or UNSIGNED."""
        if self._mode == "off":
            return payload
        length = message_bytes(payload, family=source.version)
        trailer = payload[length:]
        if len(trailer) != TRAILER_BYTES or not trailer.startswith(_MAGIC):
            return self._without_signature(payload)
        message, numbers = payload[:length], trailer[_NUMBERS_AT : _NUMBERS_AT + _NUMBERS.size]
        if not hmac.compare_digest(trailer, _trailer(self._key, message, source, numbers)):
            raise AdvertRejected(RejectReason.AUTHENTICATION, "signed with another key, or altered")
        self._admit(source, message, *_NUMBERS.unpack(numbers))
        return message

    def demand(self, mode: Authentication) -> None:
        """Go by another mode; what was heard stays known."""
        self._mode = mode

    def trust_epoch(self, source: Address, epoch: int) -> None:
        """The peer itself says, by a way that cannot be forged, that its adverts from `source` have this epoch now.

        It may be a lower one: its clock was set back. What it signed in higher epochs before stays refused.
        """
        self._trusted[source] = epoch
        for (address, _), window in self._windows.items():
            if address == source:
                window.trust(epoch)

    def _without_signature(self, payload: bytes) -> bytes:
        if self._mode == "required":
            raise AdvertRejected(RejectReason.UNSIGNED, f"{len(payload)} bytes without a signature")
        self.unsigned += 1
        return payload

    def _admit(self, source: Address, message: bytes, epoch: int, counter: int) -> None:
        key = source, vrid_of(message) or 0
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(self._trusted.get(source, _UNKNOWN))
        window.admit(epoch, counter)


@dataclass(slots=True)
class _Window:
    """Which counters of one sender were seen: up to `highest`, the last 64 one by one (as RFC 4303 section 3.4.3)."""

    epoch: int
    newest: int = _UNKNOWN
    """The highest epoch ever: what lies between it and `epoch` is spent."""
    highest: int = _UNKNOWN
    seen: int = 0
    """Bit 0 is `highest`, bit 1 the one before."""

    def admit(self, epoch: int, counter: int) -> None:
        """Note one. Raises AdvertRejected where it was here before, or may have been."""
        if epoch != self.epoch:
            if epoch <= max(self.epoch, self.newest):
                raise AdvertRejected(RejectReason.REPLAY, f"epoch {epoch}, now it is {self.epoch}")
            self._begin(epoch)
        behind = self.highest - counter
        if behind < 0:
            # A last will is 2^63 ahead: no number may be shifted by that.
            self.seen = (self.seen << min(-behind, _WINDOW) | 1) & (1 << _WINDOW) - 1
            self.highest = counter
        elif behind >= _WINDOW or self.seen >> behind & 1:
            raise AdvertRejected(RejectReason.REPLAY, f"number {counter}, the newest was {self.highest}")
        else:
            self.seen |= 1 << behind

    def trust(self, epoch: int) -> None:
        """Go on with this epoch, whichever it is. The current one goes on as it was: nothing is heard twice."""
        if epoch != self.epoch:
            self._begin(epoch)

    def _begin(self, epoch: int) -> None:
        self.newest, self.epoch = max(self.newest, self.epoch, epoch), epoch
        self.highest, self.seen = _UNKNOWN, 0


def is_signed(payload: bytes) -> bool:
    """Whether a payload looks signed; it says nothing of by whom."""
    return len(payload) > TRAILER_BYTES and payload[-TRAILER_BYTES:].startswith(_MAGIC)


def _trailer(key: bytes, message: bytes, source: Address, numbers: bytes) -> bytes:
    covered = b"".join((_PURPOSE, bytes((source.version,)), source.packed, numbers, message))
    signed = numbers + hmac.digest(key, covered, "sha256")
    # The pseudo-header would hold a length that is 52 more.
    balance = internet_checksum(TRAILER_BYTES.to_bytes(2, "big") + _MAGIC + signed)
    return _MAGIC + balance.to_bytes(2, "big") + signed
