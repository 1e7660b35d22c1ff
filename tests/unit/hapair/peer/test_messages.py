"""Messages of the node processes: written, read, and what is refused."""

import zlib

import pytest

from hapair.peer.messages import Alive, Assembler, FileDigests, MessageRejected, Status, Unreadable, pieces
from tests.unit.hapair.peer.noise import noise


@pytest.mark.parametrize(
    "message",
    [
        Alive(),
        Status("0.1.0", {"node": "pi-a", "routers": [{"a": 1.5, "b": None}]}),
        FileDigests({"pair.port": "00ff"}),
    ],
)
def test_there_and_back(message: object) -> None:
    (piece,) = pieces(message)
    assert Assembler().take(piece) == message


def test_a_long_one_comes_in_pieces_that_frames_can_carry() -> None:
    message = FileDigests({f"pools.web.servers.web{n}": noise(n) for n in range(4000)})
    sent = list(pieces(message))
    assert len(sent) > 2
    assert max(map(len, sent)) == 65_502
    assembler = Assembler()
    assert [assembler.take(piece) for piece in sent] == [None] * (len(sent) - 1) + [message]
    assert assembler.take(next(iter(pieces(Alive())))) == Alive()


def rejected(*sent: bytes) -> Unreadable:
    assembler = Assembler()
    try:
        for piece in sent:
            assembler.take(piece)
    except MessageRejected as rejected:
        return rejected.reason
    raise AssertionError("it was taken")


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (b"", Unreadable.FRAMING),
        (b"?abc", Unreadable.FRAMING),
        (b".", Unreadable.COMPRESSION),
        (b".abc", Unreadable.COMPRESSION),
        (b"." + zlib.compress(b"{}")[:-1], Unreadable.COMPRESSION),
        (b"." + zlib.compress(b"{}") + b"x", Unreadable.COMPRESSION),
        (b"." + zlib.compress(b"{}"), Unreadable.CONTENT),
        (b"." + zlib.compress(b'{"type":"Later","body":{}}'), Unreadable.CONTENT),
        (b"." + zlib.compress(b'{"type":"Status","body":{"hapair":1,"snapshot":{}}}'), Unreadable.CONTENT),
        (b"." + zlib.compress(b"[" * 100_000), Unreadable.CONTENT),
        (b"." + zlib.compress(bytes(20 << 20)), Unreadable.TOO_LONG),
    ],
)
def test_what_is_no_message(piece: bytes, reason: Unreadable) -> None:
    assert rejected(piece) is reason


def test_pieces_without_end() -> None:
    assert rejected(*[b"+" + bytes(50_000)] * 100) is Unreadable.TOO_LONG
