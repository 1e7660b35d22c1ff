"""What the flows processes say to each other, to the byte."""

import pytest

from hapair.replication.frames import Alive, Begin, End, Entered, Flows, FrameError, decode, encode

FRAMES = [
    (Begin(), "42"),
    (End(), "45"),
    (Alive(), "4b"),
    (Flows(258, b"\xab"), "460000000000000102ab"),
    (Entered(7), "410000000000000007"),
]


@pytest.mark.parametrize(("frame", "hexed"), FRAMES)
def test_there_and_back(frame: object, hexed: str) -> None:
    assert encode(frame).hex() == hexed  # type: ignore[arg-type]
    assert decode(bytes.fromhex(hexed)) == frame


@pytest.mark.parametrize(
    "hexed", ["", "00", "4242", "46", "4600000000000001", "4100000000000007", "41000000000000000700"]
)
def test_what_is_no_frame(hexed: str) -> None:
    with pytest.raises(FrameError):
        decode(bytes.fromhex(hexed))
