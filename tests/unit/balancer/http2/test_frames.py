import pytest

from balancer.http2 import frames
from balancer.http2.errors import Reason, Violation
from balancer.http2.frames import DATA, HEADERS, PADDED, WITH_PRIORITY, Frame, FrameReader, frame

PING = b"\0\0\x08\6\1\0\0\0\0abcdefgh"


def read(data: bytes, size: int = 1) -> list[Frame]:
    """In pieces of `size` bytes."""
    reader = FrameReader(16_384)
    found = []
    for at in range(0, len(data), size):
        reader.add(data[at : at + size])
        while (one := reader.next()) is not None:
            found.append(one)
    return found


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_frames_are_the_same_however_they_come(size):
    assert read(PING + frame(DATA, 1, 3) + frame(0xEE, 0xFF, 5, b"x"), size) == [
        (6, 1, 0, b"abcdefgh"),
        (0, 1, 3, b""),
        (0xEE, 0xFF, 5, b"x"),
    ]


def test_the_reserved_bit_is_ignored():
    assert read(b"\0\0\0\4\0\x80\0\0\5", 9) == [(4, 0, 5, b"")]


def test_a_frame_too_large_is_refused_by_its_header():
    reader = FrameReader(16_384)
    reader.add(b"\0\x40\1\0\0\0\0\0\1")
    with pytest.raises(Violation) as caught:
        reader.next()
    assert caught.value.reason is Reason.FRAME_TOO_LARGE


def test_a_frame_of_the_largest_size_is_taken():
    assert len(read(frame(DATA, 0, 1, bytes(16_384)), 20_000)[0].payload) == 16_384


def test_partial():
    reader = FrameReader(16_384)
    assert not reader.partial
    reader.add(PING[:3])
    assert reader.next() is None
    assert reader.partial
    reader.add(PING[3:])
    assert reader.next() is not None
    assert not reader.partial


@pytest.mark.parametrize(
    ("kind", "flags", "payload", "inner"),
    [
        (DATA, 0, b"abc", b"abc"),
        (DATA, PADDED, b"\2ab\0\0", b"ab"),
        (DATA, PADDED, b"\0", b""),
        (DATA, WITH_PRIORITY, b"abc", b"abc"),
        (HEADERS, WITH_PRIORITY, b"\0\0\0\0\0ab", b"ab"),
        (HEADERS, PADDED | WITH_PRIORITY, b"\1\0\0\0\0\0ab\0", b"ab"),
    ],
)
def test_padding_and_priority_are_taken_off(kind, flags, payload, inner):
    assert frames.without_padding(Frame(kind, flags, 1, payload)) == inner


@pytest.mark.parametrize(
    ("kind", "flags", "payload", "reason"),
    [
        (DATA, PADDED, b"", Reason.FRAME_TOO_SHORT),
        (DATA, PADDED, b"\1", Reason.PADDING),
        (DATA, PADDED, b"\3ab", Reason.PADDING),
        (HEADERS, WITH_PRIORITY, b"abcd", Reason.FRAME_TOO_SHORT),
        (HEADERS, PADDED | WITH_PRIORITY, b"\1abcde", Reason.PADDING),
    ],
)
def test_padding_that_does_not_fit(kind, flags, payload, reason):
    with pytest.raises(Violation) as caught:
        frames.without_padding(Frame(kind, flags, 1, payload))
    assert caught.value.reason is reason


def test_what_we_write():
    assert frames.reset(3, 8) == b"\0\0\4\3\0\0\0\0\3\0\0\0\x08"
    assert frames.settings({4: 65_536}) == b"\0\0\6\4\0\0\0\0\0\0\4\0\1\0\0"
    assert frames.goaway(5, 1, "why") == b"\0\0\x0b\7\0\0\0\0\0\0\0\0\5\0\0\0\1why"
    assert frames.settings_of(b"\0\4\0\1\0\0\0\5\0\0\x40\0") == [(4, 65_536), (5, 16_384)]
