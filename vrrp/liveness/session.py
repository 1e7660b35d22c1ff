"""An authenticated conversation between two nodes that share a secret: bytes to frames and back. Pure.

    dialer                                          listener
      hello: version, purpose, node, 32-byte nonce ->
                                   <- hello: the same of its own
      proof: HMAC over both hellos ->
                                   <- proof, then its frames
      frames ->

The listener proves last: whoever merely connects learns nothing that depends on the secret, which itself never
travels. Keys are HMAC-SHA256(secret, protocol, purpose, use, direction, both nonces). A frame is a 16-bit length, a
body and an HMAC-SHA256 over its place in the sequence (which does not travel), the length and the body. So a frame
that is changed, repeated, left out, moved, sent back to its author or taken from another session is refused, and the
whole session with it: there is no way back. Nothing is encrypted: adverts are no secret.
"""

import hmac
import struct
from dataclasses import dataclass
from enum import Enum

VERSION = 1
NONCE_BYTES = 32
MAC_BYTES = 32
FRAME_LIMIT_BYTES = 64 * 1024
"""Of a whole frame, once the other end has proved who it is."""
HANDSHAKE_LIMIT_BYTES = 1024
"""Of each frame before that."""
SECRET_MIN_BYTES = 16

_LENGTH = struct.Struct("!H")
_PLACE = struct.Struct("!QH")
BODY_LIMIT_BYTES = FRAME_LIMIT_BYTES - _LENGTH.size - MAC_BYTES
_MAGIC = b"hapair"


class Role(Enum):
    """Which end of the connection; the value is the direction in which it sends, as the keys know it."""

    DIALER = b"d"
    LISTENER = b"l"


class RejectReason(Enum):
    """Why a connection was refused; the value is the name under which it is counted."""

    ADDRESS = "address"
    CROWD = "crowd"
    DEADLINE = "deadline"
    INCOMPLETE = "incomplete"
    PROTOCOL = "protocol"
    VERSION = "version"
    PURPOSE = "purpose"
    REFLECTED = "reflected"
    NAME = "name"
    PROOF = "proof"
    LENGTH = "length"
    MAC = "mac"
    FRAME = "frame"


class LinkRejected(Exception):  # noqa: N818 - the house word for hostile input
    """What was received is not from the peer, or not as the peer sent it. The connection is of no use any more."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What each end says before anything can be believed."""

    role: Role
    purpose: str
    node: str
    nonce: bytes


class Session:
    """One end of one conversation. The caller moves the bytes, and feeds what arrives in pieces of any size."""

    def __init__(self, *, secret: bytes, purpose: str, node: str, peer: str, role: Role, nonce: bytes) -> None:
        """`purpose` keeps apart what one secret is used for; `nonce` is 32 random bytes, never used before."""
        if len(secret) < SECRET_MIN_BYTES:
            raise ValueError(f"a secret of {len(secret)} bytes is too short: at least {SECRET_MIN_BYTES}")
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
        self.established = False
        """Whether the other end has proved that it is the peer."""
        self._secret, self._purpose, self._node, self._peer, self._role = secret, purpose, node, peer, role
        self._hello = _encode_hello(Hello(role=role, purpose=purpose, node=node, nonce=nonce))
        self._input = bytearray()
        self._output = bytearray(_LENGTH.pack(len(self._hello)) + self._hello)
        self._keys: _Keys | None = None
        self._sent = self._received = 0
        self._rejected: LinkRejected | None = None

    def take_output(self) -> bytes:
        """What the handshake wants to be sent now; at once after the start, then after each call of `next_frame`."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def feed(self, data: bytes) -> None:
        """Take in bytes from the other end. Look at them with `next_frame`, until it returns None."""
        self._input += data

    def next_frame(self) -> bytes | None:
        """The body of the next authenticated frame; None: more bytes are needed. Raises LinkRejected, for ever then."""
        if self._rejected is not None:
            raise self._rejected
        try:
            while not self.established:
                body = self._take(HANDSHAKE_LIMIT_BYTES, trailer_bytes=0)
                if body is None:
                    return None
                self._shake_hands(body)
            return self._open()
        except LinkRejected as rejected:
            self._rejected = rejected
            raise

    def seal(self, body: bytes) -> bytes:
        """The bytes of the next frame, to be sent in the order of the calls. Raises ValueError on one too long."""
        if not self.established or self._keys is None:
            raise RuntimeError("nothing can be said before the handshake is over")
        if len(body) > BODY_LIMIT_BYTES:
            raise ValueError(f"a frame of {len(body)} bytes is too long: at most {BODY_LIMIT_BYTES}")
        mac = _mac(self._keys.sending, self._sent, body)
        self._sent += 1
        return _LENGTH.pack(len(body)) + body + mac

    def _take(self, limit_bytes: int, *, trailer_bytes: int) -> bytes | None:
        """The next length's worth of bytes and what comes after them."""
        if len(self._input) < _LENGTH.size:
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(self._input)[0] + trailer_bytes
        if end > limit_bytes:
            raise LinkRejected(RejectReason.LENGTH, f"a frame of {end} bytes, of {limit_bytes} at most")
        if len(self._input) < end:
            return None
        taken = bytes(self._input[_LENGTH.size : end])
        del self._input[:end]
        return taken

    def _open(self) -> bytes | None:
        assert self._keys is not None
        taken = self._take(FRAME_LIMIT_BYTES, trailer_bytes=MAC_BYTES)
        if taken is None:
            return None
        body, mac = taken[:-MAC_BYTES], taken[-MAC_BYTES:]
        if not hmac.compare_digest(mac, _mac(self._keys.receiving, self._received, body)):
            raise LinkRejected(RejectReason.MAC, f"frame {self._received} is not what the peer would send now")
        self._received += 1
        return body

    def _shake_hands(self, body: bytes) -> None:
        if self._keys is None:
            self._meet(body)
        else:
            self._verify(self._keys, body)

    def _meet(self, body: bytes) -> None:
        hello = _decode_hello(body)
        if hello.role is self._role:
            raise LinkRejected(RejectReason.REFLECTED, "it says what we say")
        if hello.purpose != self._purpose:
            raise LinkRejected(RejectReason.PURPOSE, f"it wants {hello.purpose!r}, and this is {self._purpose!r}")
        if hello.node != self._peer:
            raise LinkRejected(RejectReason.NAME, f"it calls itself {hello.node!r}, and the peer is {self._peer!r}")
        hellos = (self._hello, body) if self._role is Role.DIALER else (body, self._hello)
        self._keys = _Keys.derive(self._secret, self._purpose, hellos=hellos, role=self._role)
        if self._role is Role.DIALER:
            self._prove(self._keys)

    def _verify(self, keys: "_Keys", proof: bytes) -> None:
        if not hmac.compare_digest(proof, keys.proof_of_peer):
            raise LinkRejected(RejectReason.PROOF, "it does not know the secret, or not the same one")
        if self._role is Role.LISTENER:
            self._prove(keys)
        self.established = True

    def _prove(self, keys: "_Keys") -> None:
        self._output += _LENGTH.pack(len(keys.proof)) + keys.proof


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    sending: bytes
    receiving: bytes
    proof: bytes
    proof_of_peer: bytes

    def __repr__(self) -> str:
        return "_Keys()"

    @classmethod
    def derive(cls, secret: bytes, purpose: str, *, hellos: tuple[bytes, bytes], role: Role) -> "_Keys":
        """`hellos`: the dialer's, the listener's."""
        other = Role.LISTENER if role is Role.DIALER else Role.DIALER
        nonces = hellos[0][-NONCE_BYTES:] + hellos[1][-NONCE_BYTES:]
        transcript = b"".join(_LENGTH.pack(len(hello)) + hello for hello in hellos)

        def key(use: bytes, direction: Role) -> bytes:
            return hmac.digest(secret, _joined(_MAGIC, _utf8(purpose), use, direction.value, nonces), "sha256")

        return cls(
            sending=key(b"frames", role),
            receiving=key(b"frames", other),
            proof=hmac.digest(key(b"proof", role), transcript, "sha256"),
            proof_of_peer=hmac.digest(key(b"proof", other), transcript, "sha256"),
        )


def _mac(key: bytes, place: int, body: bytes) -> bytes:
    return hmac.digest(key, _PLACE.pack(place, len(body)) + body, "sha256")


def _joined(*parts: bytes) -> bytes:
    """Parts with their lengths, so that no two lists of parts make the same bytes."""
    return b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def _utf8(text: str) -> bytes:
    return text.encode()


def _encode_hello(hello: Hello) -> bytes:
    names = b"".join(bytes((len(name),)) + name for name in (_utf8(hello.purpose), _utf8(hello.node)))
    return _MAGIC + bytes((VERSION,)) + hello.role.value + names + hello.nonce


def _decode_hello(body: bytes) -> Hello:
    if body[: len(_MAGIC)] != _MAGIC or len(body) < len(_MAGIC) + 2:
        raise LinkRejected(RejectReason.PROTOCOL, "it speaks something else")
    version, role, rest = body[len(_MAGIC)], body[len(_MAGIC) + 1 : len(_MAGIC) + 2], body[len(_MAGIC) + 2 :]
    if version != VERSION:
        raise LinkRejected(RejectReason.VERSION, f"it speaks version {version}, and this is {VERSION}")
    try:
        purpose, rest = _take_name(rest)
        node, nonce = _take_name(rest)
        hello = Hello(role=Role(role), purpose=purpose, node=node, nonce=nonce)
    except (IndexError, ValueError):
        raise LinkRejected(RejectReason.PROTOCOL, "a malformed hello") from None
    if len(nonce) != NONCE_BYTES:
        raise LinkRejected(RejectReason.PROTOCOL, f"a nonce of {len(nonce)} bytes")
    return hello


def _take_name(data: bytes) -> tuple[str, bytes]:
    end = 1 + data[0]
    if len(data) < end:
        raise ValueError("it ends early")
    return data[1:end].decode(), data[end:]
