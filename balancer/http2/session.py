"""One client's HTTP/2 connection: what each frame means, and which error code a wrong one earns (RFC 9113). Pure.

Bytes go in, events come out; what has to be sent is taken from `sender`. A stream error resets its stream, and is an
event; a connection error raises Violation, and its GOAWAY is there to be taken. docs/http2.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable

from balancer.config_http2 import Http2
from balancer.http2 import frames
from balancer.http2.budget import Budget
from balancer.http2.compression import FieldDecoder, Fields
from balancer.http2.errors import ErrorCode, Reason, Violation
from balancer.http2.events import Acknowledged, Body, Event, Opened, Reset
from balancer.http2.frames import Frame, FrameReader
from balancer.http2.peersettings import apply_settings, our_settings
from balancer.http2.request import request_of, trailer_lines
from balancer.http2.sending import DEFAULT_WINDOW, LARGEST_WINDOW, Sender, SendState
from balancer.http2.streamstate import ClosedStreams, StreamState

EVERY_STREAM = 2**31 - 1
MOST_CONTINUATIONS = 32
SMALL_INCREMENT = 256
"""A window that is opened by less than this carries little forward."""


class Session:
    """The connection. `receive` raises Violation, after which there is nothing to do but to send what is left."""

    def __init__(self, config: Http2, now: float) -> None:
        self.sender = Sender()
        self.streams: dict[int, StreamState] = {}
        self.highest = 0
        """The last stream that the client began, and that was looked at."""
        self.settings_acknowledged = False
        self.going_away = False
        """The last GOAWAY has been sent: streams that begin from now on are ignored."""
        self._config = config
        self._now = now
        self._reader = FrameReader(config.frame_bytes)
        self._decoder = FieldDecoder(config.header_list_bytes)
        self._preface_left = frames.PREFACE
        self._begun = False
        self._events: list[Event] = []
        self._block: bytearray | None = None
        self._block_frame = Frame(0, 0, 0, b"")
        self._continuations = 0
        self._closed = ClosedStreams()
        self._resets = Budget(config.resets, Reason.TOO_MANY_RESETS, now)
        self._idle_frames = Budget(config.idle_frames, Reason.TOO_MANY_IDLE_FRAMES, now)
        self._credit = 0
        # No stream may hold back the others, so the connection's window never limits: that of each stream does.
        self._window = min(LARGEST_WINDOW, max(DEFAULT_WINDOW, config.max_streams * config.window_bytes))
        self._receive_window = self._window
        self.sender.control(our_settings(config))
        if self._window > DEFAULT_WINDOW:
            self.sender.control(frames.window_update(0, self._window - DEFAULT_WINDOW))

    @property
    def partial(self) -> bool:
        """The client has begun something that is not whole: the preface, a frame, a header block."""
        return bool(self._preface_left) or self._block is not None or self._reader.partial

    def receive(self, data: bytes, now: float) -> list[Event]:
        """What `data` brings about. Raises Violation."""
        self._now = now
        self._events = []
        try:
            if self._preface_left:
                data = self._take_preface(data)
            self._reader.add(data)
            while (frame := self._reader.next()) is not None:
                self._handle(frame)
        except Violation as violation:
            self.fail(violation.reason)
            raise
        return self._events

    def fail(self, reason: Reason) -> None:
        """End the connection by GOAWAY, and all streams without a word more."""
        self.going_away = True
        for stream in tuple(self.streams.values()):
            self._forget(stream, by_us=True)
        self.sender.control(frames.goaway(self.highest, reason.code, reason.text))

    def go_away(self, *, last: bool) -> None:
        """Announce the end (RFC 9113 section 6.8): at first that it is near, at last after which stream it is."""
        self.going_away = last
        self.sender.control(frames.goaway(self.highest if last else EVERY_STREAM, ErrorCode.NO_ERROR))

    def ping(self, payload: bytes) -> None:
        self.sender.control(frames.frame(frames.PING, 0, 0, payload))

    def reset(self, stream_id: int, code: int) -> None:
        """End a stream, where it has not ended already."""
        stream = self.streams.get(stream_id)
        if stream is not None and not (stream.ended and stream.remote_ended):
            self.sender.control(frames.reset(stream_id, code))
            self._forget(stream, by_us=True)

    def consumed(self, stream_id: int, count: int) -> None:
        """So much of a body has gone to its server: the client may send as much again."""
        stream = self.streams.get(stream_id)
        if stream is None or stream.remote_ended:
            return
        stream.credit += count
        if stream.credit * 2 >= self._config.window_bytes:
            self.sender.control(frames.window_update(stream_id, stream.credit))
            stream.receive_window += stream.credit
            stream.credit = 0

    def take(self) -> tuple[bytes, list[SendState]]:
        """What to send now, and the streams that have nothing more waiting since."""
        sender = self.sender
        data = sender.take()
        drained = sender.drained
        if drained:
            sender.drained = []
            for stream in drained:
                if stream.ended:
                    self._end_if_done(stream.stream_id)
        return data, drained

    def _take_preface(self, data: bytes) -> bytes:
        left = self._preface_left
        if data[: len(left)] != left[: len(data)]:
            raise Violation(Reason.PREFACE)
        self._preface_left = left[len(data) :]
        return data[len(left) :]

    def _handle(self, frame: Frame) -> None:
        if self._block is not None and frame.kind != frames.CONTINUATION:
            raise Violation(Reason.BLOCK_INTERRUPTED)
        if not self._begun:
            if frame.kind != frames.SETTINGS or frame.flags & frames.ACK:
                raise Violation(Reason.FIRST_FRAME)
            self._begun = True
        handler = _HANDLERS[frame.kind] if frame.kind < len(_HANDLERS) else Session._ignore
        try:
            handler(self, frame)
        except Violation as violation:
            if not violation.stream_id:
                raise
            self._stream_error(violation)

    def _stream_error(self, violation: Violation) -> None:
        """Reset a stream for what the client did (RFC 9113 section 5.4.2)."""
        self._resets.spend(self._now)
        stream_id, reason = violation.stream_id, violation.reason
        self.sender.control(frames.reset(stream_id, reason.code))
        stream = self.streams.get(stream_id)
        if stream is None:
            self._closed.remember(stream_id, by_us=True)
        else:
            self._forget(stream, by_us=True)
        self._events.append(Reset(stream_id, reason.code, reason))

    def _ignore(self, frame: Frame) -> None:
        """A frame of a type that nobody knows (RFC 9113 section 5.5)."""
        self._idle_frames.spend(self._now)

    def _data(self, frame: Frame) -> None:
        if not frame.stream_id:
            raise Violation(Reason.STREAM_ZERO)
        size = len(frame.payload)
        if size > self._receive_window:
            raise Violation(Reason.WINDOW_EXCEEDED)
        self._take_window(size)
        data = frames.without_padding(frame)
        ended = bool(frame.flags & frames.END_STREAM)
        stream = self._receiving(frame)
        if stream is None:
            return
        if size > stream.receive_window:
            raise Violation(Reason.WINDOW_EXCEEDED, frame.stream_id)
        stream.receive_window -= size
        if not data and not ended:
            self._idle_frames.spend(self._now)
        stream.received += len(data)
        if stream.misses_length(ended=ended):
            raise Violation(Reason.LENGTH_DIFFERS, frame.stream_id)
        self._events.append(Body(frame.stream_id, data, ended))
        if ended:
            self._remote_end(stream)
        elif size > len(data):
            self.consumed(frame.stream_id, size - len(data))  # padding

    def _take_window(self, size: int) -> None:
        """Data counts for the connection wherever it goes, and is given back at once."""
        self._receive_window -= size
        self._credit += size
        if self._credit * 2 >= self._window:
            self.sender.control(frames.window_update(0, self._credit))
            self._receive_window += self._credit
            self._credit = 0

    def _receiving(self, frame: Frame) -> StreamState | None:
        """The stream that a DATA frame is for; None where it is to be ignored. Raises Violation."""
        stream = self.streams.get(frame.stream_id)
        if stream is None:
            if not self._is_closed(frame):
                raise Violation(Reason.STREAM_IDLE)
            return None
        if stream.remote_ended:
            raise Violation(Reason.HALF_CLOSED, frame.stream_id)
        return stream

    def _is_closed(self, frame: Frame) -> bool:
        """Of a stream that is not open: whether its frame is to be ignored. Raises Violation where it had ended."""
        stream_id = frame.stream_id
        if self.going_away and stream_id > self.highest:
            return True
        by_us = self._closed.by_us(stream_id)
        if by_us is None and (stream_id > self.highest or not stream_id % 2):
            return False
        if not by_us:
            raise Violation(Reason.STREAM_CLOSED)
        self._idle_frames.spend(self._now)
        return True

    def _headers(self, frame: Frame) -> None:
        if not frame.stream_id:
            raise Violation(Reason.STREAM_ZERO)
        self._block = bytearray(frames.without_padding(frame))
        self._block_frame = frame
        self._continuations = 0
        self._block_grown(frame)

    def _continuation(self, frame: Frame) -> None:
        if self._block is None:
            raise Violation(Reason.CONTINUATION_ALONE)
        if frame.stream_id != self._block_frame.stream_id:
            raise Violation(Reason.BLOCK_INTERRUPTED)
        self._continuations += 1
        if self._continuations > MOST_CONTINUATIONS:
            raise Violation(Reason.TOO_MANY_CONTINUATIONS)
        self._block += frame.payload
        self._block_grown(frame)

    def _block_grown(self, frame: Frame) -> None:
        block = self._block
        assert block is not None
        if len(block) > self._config.header_list_bytes:
            raise Violation(Reason.BLOCK_TOO_LARGE)
        if not frame.flags & frames.END_HEADERS:
            return
        self._block = None
        fields = self._decoder.decode(bytes(block))  # whatever becomes of it: compression must stay in step
        stream_id, ended = self._block_frame.stream_id, bool(self._block_frame.flags & frames.END_STREAM)
        stream = self.streams.get(stream_id)
        try:
            if stream is None:
                self._open(stream_id, fields, ended=ended)
            else:
                self._trailers(stream, fields, ended=ended)
        except Violation as violation:
            # What is wrong with a message is wrong with its stream (RFC 9113 section 8.1.1).
            if violation.reason not in _OF_CONNECTION:
                raise Violation(violation.reason, stream_id) from None
            raise

    def _open(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        if self.going_away and stream_id > self.highest:
            return
        if not stream_id % 2:
            raise Violation(Reason.STREAM_ID)
        if stream_id <= self.highest:
            if self._is_closed_before(stream_id):
                return
            raise Violation(Reason.STREAM_ID)
        self.highest = stream_id
        if len(self.streams) >= self._config.max_streams:
            raise Violation(Reason.TOO_MANY_STREAMS)
        request = request_of(fields, ended=ended)
        stream = StreamState(stream_id, self.sender.initial_window, self._config.window_bytes)
        stream.length = request.length
        stream.remote_ended = ended
        self.streams[stream_id] = stream
        self._events.append(Opened(stream_id, request.head, request.method, request.chunked, ended))

    def _is_closed_before(self, stream_id: int) -> bool:
        """HEADERS of an earlier stream: True where we reset it. Raises Violation where it ended; False: never begun."""
        by_us = self._closed.by_us(stream_id)
        if by_us is False:
            raise Violation(Reason.STREAM_CLOSED)
        return by_us is True

    def _trailers(self, stream: StreamState, fields: Fields, *, ended: bool) -> None:
        if stream.remote_ended:
            raise Violation(Reason.HALF_CLOSED)
        if not ended:
            raise Violation(Reason.TRAILER_NOT_LAST)
        lines = trailer_lines(fields)
        if stream.misses_length(ended=True):
            raise Violation(Reason.LENGTH_DIFFERS)
        self._events.append(Body(stream.stream_id, b"", True, lines))
        self._remote_end(stream)

    def _priority(self, frame: Frame) -> None:
        """Checked for its form, and ignored (RFC 9113 section 5.3.2)."""
        if not frame.stream_id:
            raise Violation(Reason.STREAM_ZERO)
        self._idle_frames.spend(self._now)
        if len(frame.payload) != 5:  # a stream error, but a stream that is not open cannot be reset
            raise Violation(Reason.FRAME_LENGTH, frame.stream_id if frame.stream_id in self.streams else 0)

    def _rst_stream(self, frame: Frame) -> None:
        if not frame.stream_id:
            raise Violation(Reason.STREAM_ZERO)
        if len(frame.payload) != 4:
            raise Violation(Reason.FRAME_LENGTH)
        stream = self.streams.get(frame.stream_id)
        if stream is None:
            self._check_begun(frame)
            return
        self._resets.spend(self._now)
        self.sender.drop(stream)
        self._forget(stream, by_us=False)
        self._events.append(Reset(frame.stream_id, frames.number(frame.payload), None))

    def _check_begun(self, frame: Frame) -> None:
        """RST_STREAM and WINDOW_UPDATE may cross with the end of a stream. Raises Violation where it never began."""
        if not frame.stream_id % 2 or (frame.stream_id > self.highest and not self.going_away):
            raise Violation(Reason.STREAM_IDLE)
        self._idle_frames.spend(self._now)

    def _settings(self, frame: Frame) -> None:
        if frame.stream_id:
            raise Violation(Reason.NOT_STREAM_ZERO)
        if frame.flags & frames.ACK:
            if frame.payload:
                raise Violation(Reason.FRAME_LENGTH)
            self.settings_acknowledged = True
            return
        if len(frame.payload) % 6:
            raise Violation(Reason.FRAME_LENGTH)
        self._idle_frames.spend(self._now)
        change = apply_settings(self.sender, frames.settings_of(frame.payload))
        if change:
            for stream in self.streams.values():
                self.sender.open_stream_window(stream, change, Reason.WINDOW_BY_SETTINGS)
        self.sender.control(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _push_promise(self, frame: Frame) -> None:
        raise Violation(Reason.PUSH_PROMISE)

    def _ping(self, frame: Frame) -> None:
        if frame.stream_id:
            raise Violation(Reason.NOT_STREAM_ZERO)
        if len(frame.payload) != 8:
            raise Violation(Reason.FRAME_LENGTH)
        self._idle_frames.spend(self._now)
        if frame.flags & frames.ACK:
            self._events.append(Acknowledged(frame.payload))
        else:
            self.sender.control(frames.frame(frames.PING, frames.ACK, 0, frame.payload))

    def _goaway(self, frame: Frame) -> None:
        """The client begins no more streams; those that are open go on."""
        if frame.stream_id:
            raise Violation(Reason.NOT_STREAM_ZERO)
        if len(frame.payload) < 8:
            raise Violation(Reason.FRAME_LENGTH)
        self._idle_frames.spend(self._now)

    def _window_update(self, frame: Frame) -> None:
        if len(frame.payload) != 4:
            raise Violation(Reason.FRAME_LENGTH)
        increment = frames.number(frame.payload) & LARGEST_WINDOW
        stream = self.streams.get(frame.stream_id)
        if frame.stream_id and stream is None:
            self._check_begun(frame)
            return
        if not increment:
            raise Violation(Reason.WINDOW_INCREMENT, frame.stream_id)
        if increment < SMALL_INCREMENT:
            self._idle_frames.spend(self._now)
        if stream is None:
            self.sender.open_window(increment)
            return
        try:
            self.sender.open_stream_window(stream, increment, Reason.WINDOW_OVERFLOW)
        except Violation as violation:
            raise Violation(violation.reason, frame.stream_id) from None

    def _remote_end(self, stream: StreamState) -> None:
        stream.remote_ended = True
        self._end_if_done(stream.stream_id)

    def _end_if_done(self, stream_id: int) -> None:
        stream = self.streams.get(stream_id)
        if stream is not None and stream.ended and stream.remote_ended:
            self._forget(stream, by_us=False)

    def _forget(self, stream: StreamState, *, by_us: bool) -> None:
        del self.streams[stream.stream_id]
        self.sender.drop(stream)
        self._closed.remember(stream.stream_id, by_us=by_us)


_OF_CONNECTION = frozenset((Reason.STREAM_ID, Reason.STREAM_CLOSED))
"""Errors of HEADERS that concern more than one stream."""

_Handler = Callable[[Session, Frame], None]
_HANDLERS: tuple[_Handler, ...] = (
    Session._data,
    Session._headers,
    Session._priority,
    Session._rst_stream,
    Session._settings,
    Session._push_promise,
    Session._ping,
    Session._goaway,
    Session._window_update,
    Session._continuation,
)
