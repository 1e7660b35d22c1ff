"""What is refused here is in test_rules.py."""

from balancer.config_http2 import Http2
from balancer.http2.frames import FrameReader, settings_of
from balancer.http2.peersettings import apply_settings, our_settings
from balancer.http2.sending import Sender


def test_ours():
    reader = FrameReader(100)
    reader.add(our_settings(Http2(max_streams=7)))
    frame = reader.next()
    assert frame is not None
    assert settings_of(frame.payload) == [(3, 7), (4, 65_536), (5, 16_384), (6, 65_536), (9, 1)]


def test_theirs():
    sender = Sender()
    assert apply_settings(sender, [(1, 0), (2, 0), (3, 1), (4, 100), (5, 20_000), (6, 5), (0xFFFF, 9)]) == 100 - 65_535
    assert (sender.initial_window, sender.max_frame_bytes) == (100, 20_000)


def test_frames_never_grow_so_large_that_others_wait_long():
    sender = Sender()
    apply_settings(sender, [(5, 2**24 - 1)])
    assert sender.max_frame_bytes == 65_536


def test_the_last_of_two_values_holds():
    sender = Sender()
    assert apply_settings(sender, [(4, 1), (4, 65_536)]) == 1
