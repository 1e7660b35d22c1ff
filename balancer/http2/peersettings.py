"""SETTINGS (RFC 9113 section 6.5): what we tell a client, and what a client tells us. Pure."""

from balancer.config_http2 import Http2
from balancer.http2 import frames
from balancer.http2.errors import Reason, Violation
from balancer.http2.sending import LARGEST_WINDOW, Sender

HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6
NO_RFC7540_PRIORITIES = 0x9

_LARGEST_MAX_FRAME = 2**24 - 1
_OUR_FRAME_BYTES = 65_536
"""What we send at once, however much a client would take: streams must have their turn."""


def our_settings(config: Http2) -> bytes:
    """The SETTINGS frame that begins what we send."""
    return frames.settings(
        {
            MAX_CONCURRENT_STREAMS: config.max_streams,
            INITIAL_WINDOW_SIZE: config.window_bytes,
            MAX_FRAME_SIZE: config.frame_bytes,
            MAX_HEADER_LIST_SIZE: config.header_list_bytes,
            NO_RFC7540_PRIORITIES: 1,
        }
    )


def apply_settings(sender: Sender, values: list[tuple[int, int]]) -> int:
    """By how much the windows of streams change. Raises Violation. Unknown settings are ignored."""
    before = sender.initial_window
    for identifier, value in values:
        if identifier == HEADER_TABLE_SIZE:
            sender.limit_table(value)
        elif identifier == ENABLE_PUSH:
            if value > 1:
                raise Violation(Reason.ENABLE_PUSH)
        elif identifier == INITIAL_WINDOW_SIZE:
            if value > LARGEST_WINDOW:
                raise Violation(Reason.INITIAL_WINDOW)
            sender.initial_window = value
        elif identifier == MAX_FRAME_SIZE:
            if not frames.SMALLEST_MAX_FRAME <= value <= _LARGEST_MAX_FRAME:
                raise Violation(Reason.MAX_FRAME_SIZE)
            sender.max_frame_bytes = min(value, _OUR_FRAME_BYTES)
    return sender.initial_window - before
