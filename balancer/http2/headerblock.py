"""A header block as it comes: HEADERS and any CONTINUATION frames after it (RFC 9113 sections 4.3 and 6.10). Pure."""

from balancer.http2 import frames
from balancer.http2.errors import Reason, Violation
from balancer.http2.frames import Frame

MOST_CONTINUATIONS = 32


class HeaderBlock:
    """Compressed fields of one stream. Not kept beyond a size, nor beyond a number of frames, which may be empty."""

    __slots__ = ("_continuations", "_max_bytes", "data", "ended", "stream_id", "whole")

    def __init__(self, headers: Frame, max_bytes: int) -> None:
        """Raises Violation: an error of the connection."""
        if not headers.stream_id:
            raise Violation(Reason.STREAM_ZERO)
        self.stream_id = headers.stream_id
        self.ended = bool(headers.flags & frames.END_STREAM)
        """The stream ends with it."""
        self.data = bytearray(frames.without_padding(headers))
        self._max_bytes = max_bytes
        self._continuations = 0
        self._grown(headers)

    def add(self, continuation: Frame) -> None:
        """Raises Violation: an error of the connection."""
        if continuation.stream_id != self.stream_id:
            raise Violation(Reason.BLOCK_INTERRUPTED)
        self._continuations += 1
        if self._continuations > MOST_CONTINUATIONS:
            raise Violation(Reason.TOO_MANY_CONTINUATIONS)
        self.data += continuation.payload
        self._grown(continuation)

    def _grown(self, frame: Frame) -> None:
        if len(self.data) > self._max_bytes:
            raise Violation(Reason.BLOCK_TOO_LARGE)
        self.whole = bool(frame.flags & frames.END_HEADERS)
