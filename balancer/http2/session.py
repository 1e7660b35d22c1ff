"""One client's HTTP/2 connection: the guard in front of the h2 library (RFC 9113). Pure.

Bytes go in, events come out; what has to be sent is taken from `sender`. A stream error resets its stream, and is an
event; a connection error raises Violation, and its GOAWAY is there to be taken. docs/http2.md has the table.

Each frame is looked at here before h2 sees it. h2 keeps the states of streams, the windows and settings, and judges
what is wrong with a frame by itself. Here is judged what h2 gets wrong, or has no measure for: frames that are too
large, header blocks and what they say, what concerns one stream alone, what came before a reset was heard of, floods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from balancer.config_http2 import LARGEST_WINDOW, Http2
from balancer.http2 import frames, library
from balancer.http2.budget import Budget
from balancer.http2.compression import Fields
from balancer.http2.errors import ErrorCode, Reason, Violation
from balancer.http2.events import Acknowledged, Body, Event, Opened, Reset
from balancer.http2.frames import Frame, FrameReader
from balancer.http2.headerblock import HeaderBlock
from balancer.http2.library import DEFAULT_WINDOW, Library
from balancer.http2.request import request_of, trailer_lines
from balancer.http2.sending import Sender, SendState
from balancer.http2.streamstate import ClosedStreams, StreamState

EVERY_STREAM = 2**31 - 1
SMALL_INCREMENT = 256
"""A window that is opened by less than this carries little forward."""


class Session:
    """The connection. `receive` raises Violation, after which there is nothing to do but to send what is left."""

    def __init__(self, config: Http2, now: float) -> None:
        self._library = Library(config)
        self.sender = Sender(self._library)
        self.streams: dict[int, StreamState] = {}
        self.highest = 0
        """The last stream that the client began, and that was looked at."""
        self.settings_acknowledged = False
        self.going_away = False
        """The last GOAWAY has been sent: streams that begin from now on are ignored."""
        self._config = config
        self._now = now
        self._reader = FrameReader(config.frame_bytes)
        self._preface_left = frames.PREFACE
        self._begun = False
        self._events: list[Event] = []
        self._block: HeaderBlock | None = None
        self._closed = ClosedStreams()
        self._resets = Budget(config.resets, Reason.TOO_MANY_RESETS, now)
        self._idle_frames = Budget(config.idle_frames, Reason.TOO_MANY_IDLE_FRAMES, now)
        self._credit = 0
        # No stream may hold back the others, so the connection's window never limits: that of each stream does.
        self._window = min(LARGEST_WINDOW, max(DEFAULT_WINDOW, config.max_streams * config.window_bytes))
        if self._window > DEFAULT_WINDOW:
            self._library.open_window(self._window - DEFAULT_WINDOW)

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
            self.fail(violation.reason, violation.text)
            raise
        return self._events

    def fail(self, reason: Reason, text: str = "") -> None:
        """End the connection by GOAWAY, and all streams without a word more."""
        self.going_away = True
        for stream in tuple(self.streams.values()):
            self._forget(stream, by_us=True)
        self.sender.control(frames.goaway(self.highest, reason.code, text or reason.text))

    def go_away(self, *, last: bool) -> None:
        """Announce the end (RFC 9113 section 6.8): at first that it is near, at last after which stream it is.

        Not by h2, which takes a connection for closed once it has sent or received GOAWAY, its open streams too.
        """
        self.going_away = last
        self.sender.control(frames.goaway(self.highest if last else EVERY_STREAM, ErrorCode.NO_ERROR))

    def ping(self, payload: bytes) -> None:
        self._library.ping(payload)

    def reset(self, stream_id: int, code: int) -> None:
        """End a stream, where it has not ended already."""
        stream = self.streams.get(stream_id)
        if stream is not None:
            self._library.reset(stream_id, code)
            self._forget(stream, by_us=True)

    def consumed(self, stream_id: int, count: int) -> None:
        """So much of a body has gone to its server: the client may send as much again."""
        stream = self.streams.get(stream_id)
        if stream is None or stream.remote_ended:
            return
        stream.credit += count
        if stream.credit * 2 >= self._config.window_bytes:
            self._library.open_window(stream.credit, stream_id)
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
            self._library.reset(violation.stream_id, violation.reason.code)
            self._was_reset(violation.stream_id, violation.reason)

    def _was_reset(self, stream_id: int, reason: Reason) -> None:
        """A stream was reset for what the client did (RFC 9113 section 5.4.2)."""
        self._resets.spend(self._now)
        stream = self.streams.get(stream_id)
        if stream is None:
            self._closed.remember(stream_id, by_us=True)
        else:
            self._forget(stream, by_us=True)
        self._events.append(Reset(stream_id, reason.code, reason))

    def _ignore(self, frame: Frame) -> None:
        """A frame of a type that nobody knows (RFC 9113 section 5.5)."""
        self._idle_frames.spend(self._now)

    def _by_h2(self, frame: Frame) -> None:
        self._happened(self._library.receive(frame))

    def _happened(self, events: Iterable[library.Event]) -> None:
        """What h2 says of a frame."""
        for event in events:
            match event:
                case library.DataReceived():
                    self._body(event)
                case library.WindowUpdated(stream_id=stream_id) if stream_id:
                    self.sender.opened(self.streams[stream_id])
                case library.StreamReset(remote_reset=True):
                    self._reset_by_client(self.streams[event.stream_id], int(event.error_code))
                case library.StreamReset():
                    overflow = event.error_code == ErrorCode.FLOW_CONTROL_ERROR
                    self._library.forget(event.stream_id)
                    self._was_reset(event.stream_id, Reason.WINDOW if overflow else Reason.HALF_CLOSED)
                case library.SettingsAcknowledged():
                    self.settings_acknowledged = True
                case library.PingAckReceived():
                    self._events.append(Acknowledged(event.ping_data))

    def _data(self, frame: Frame) -> None:
        stream = self.streams.get(frame.stream_id)
        if stream is None:
            self._data_of_no_stream(frame)
        elif stream.remote_ended:
            self._refuse_data(frame, Reason.HALF_CLOSED)
        elif len(frame.payload) > stream.receive_window:
            self._refuse_data(frame, Reason.WINDOW)
        else:
            self._by_h2(frame)

    def _data_of_no_stream(self, frame: Frame) -> None:
        if self._is_ignored(frame.stream_id):
            self._library.ignored_data(frame)
            return
        if self._library.has_begun(frame.stream_id):
            raise Violation(Reason.STREAM_CLOSED)
        self._by_h2(frame)

    def _refuse_data(self, frame: Frame, reason: Reason) -> None:
        self._library.reset(frame.stream_id, reason.code)
        self._was_reset(frame.stream_id, reason)
        self._library.ignored_data(frame)

    def _body(self, event: library.DataReceived) -> None:
        data, ended = event.data or b"", event.stream_ended is not None
        size = event.flow_controlled_length or 0
        self._take_window(size)
        if not data and not ended:
            self._idle_frames.spend(self._now)
        stream = self.streams[event.stream_id]
        stream.received += len(data)
        if stream.misses_length(ended=ended):
            raise Violation(Reason.LENGTH_DIFFERS, stream.stream_id)
        self._events.append(Body(stream.stream_id, data, ended))
        if ended:
            self._remote_end(stream)
        elif size > len(data):
            self.consumed(stream.stream_id, size - len(data))  # padding

    def _take_window(self, size: int) -> None:
        """Data counts for the connection wherever it goes, and is given back at once."""
        self._credit += size
        if self._credit * 2 >= self._window:
            self._library.open_window(self._credit)
            self._credit = 0

    def _is_ignored(self, stream_id: int) -> bool:
        """DATA or HEADERS of a stream that is not open: True where we reset it. Raises Violation where it had ended."""
        by_us = self._closed.by_us(stream_id)
        if by_us is None:
            return False  # it never began, or ended long ago
        if not by_us:
            raise Violation(Reason.STREAM_CLOSED)
        self._idle_frames.spend(self._now)
        return True

    def _headers(self, frame: Frame) -> None:
        self._gather(HeaderBlock(frame, self._config.header_list_bytes))

    def _continuation(self, frame: Frame) -> None:
        if self._block is None:
            raise Violation(Reason.CONTINUATION_ALONE)
        self._block.add(frame)
        self._gather(self._block)

    def _gather(self, block: HeaderBlock) -> None:
        if not block.whole:
            self._block = block
            return
        self._block = None
        fields = self._library.decoder.fields(bytes(block.data))  # even to be ignored: compression must stay in step
        stream = self.streams.get(block.stream_id)
        if stream is not None:
            self._trailers(stream, fields, ended=block.ended)
        elif not self._is_ignored(block.stream_id):
            self._open(block.stream_id, fields, ended=block.ended)

    def _open(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        begun = self._library.begin(stream_id, ended=ended)
        if self.going_away:
            self._library.ignore(stream_id)
            self._closed.remember(stream_id, by_us=True)
            return
        self.highest = stream_id
        if len(self.streams) >= self._config.max_streams:
            raise Violation(Reason.TOO_MANY_STREAMS, stream_id)
        try:
            request = request_of(fields, ended=ended)
        except Violation as violation:
            raise Violation(violation.reason, stream_id) from None
        stream = StreamState(begun)
        stream.length = request.length
        stream.remote_ended = ended
        self.streams[stream_id] = stream
        self._events.append(Opened(stream_id, request.head, request.method, request.chunked, ended))

    def _trailers(self, stream: StreamState, fields: Fields, *, ended: bool) -> None:
        if stream.remote_ended:
            raise Violation(Reason.HALF_CLOSED, stream.stream_id)
        if not ended:
            raise Violation(Reason.TRAILER_NOT_LAST, stream.stream_id)
        try:
            lines = trailer_lines(fields)
        except Violation as violation:
            raise Violation(violation.reason, stream.stream_id) from None
        if stream.misses_length(ended=True):
            raise Violation(Reason.LENGTH_DIFFERS, stream.stream_id)
        self._library.trailers(stream.stream_id)
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
        if frame.stream_id and frame.stream_id not in self.streams and len(frame.payload) == 4:
            self._check_begun(frame)
        else:
            self._by_h2(frame)

    def _reset_by_client(self, stream: StreamState, code: int) -> None:
        self._resets.spend(self._now)
        self._forget(stream, by_us=False)
        self._events.append(Reset(stream.stream_id, code, None))

    def _check_begun(self, frame: Frame) -> None:
        """RST_STREAM and WINDOW_UPDATE may cross with the end of a stream. Raises Violation where it never began."""
        if not self._library.has_begun(frame.stream_id):
            raise Violation(Reason.STREAM_IDLE)
        self._idle_frames.spend(self._now)

    def _settings(self, frame: Frame) -> None:
        acknowledges = bool(frame.flags & frames.ACK)
        if len(frame.payload) % 6 or (acknowledges and frame.payload):
            raise Violation(Reason.FRAME_LENGTH)
        if not acknowledges or self.settings_acknowledged:
            self._idle_frames.spend(self._now)
        if acknowledges or frame.stream_id:
            self._by_h2(frame)
            return
        self._library.settings(frame.payload)
        for stream in self.streams.values():
            self.sender.opened(stream)

    def _push_promise(self, frame: Frame) -> None:
        raise Violation(Reason.PUSH_PROMISE)

    def _ping(self, frame: Frame) -> None:
        self._idle_frames.spend(self._now)
        self._by_h2(frame)

    def _goaway(self, frame: Frame) -> None:
        """The client begins no more streams; those that are open go on, which h2 would not have."""
        if frame.stream_id:
            raise Violation(Reason.NOT_STREAM_ZERO)
        if len(frame.payload) < 8:
            raise Violation(Reason.FRAME_LENGTH)
        self._idle_frames.spend(self._now)

    def _window_update(self, frame: Frame) -> None:
        if len(frame.payload) == 4:
            if frame.stream_id and frame.stream_id not in self.streams:
                self._check_begun(frame)
                return
            increment = frames.number(frame.payload) & LARGEST_WINDOW
            if not increment:
                raise Violation(Reason.WINDOW_INCREMENT, frame.stream_id)
            if increment < SMALL_INCREMENT:
                self._idle_frames.spend(self._now)
        self._by_h2(frame)

    def _remote_end(self, stream: StreamState) -> None:
        stream.remote_ended = True
        self._end_if_done(stream.stream_id)

    def _end_if_done(self, stream_id: int) -> None:
        stream = self.streams.get(stream_id)
        if stream is not None and stream.ended and stream.remote_ended:
            self._forget(stream, by_us=False)

    def _forget(self, stream: StreamState, *, by_us: bool) -> None:
        del self.streams[stream.stream_id]
        self._library.forget(stream.stream_id)
        self.sender.drop(stream)
        self._closed.remember(stream.stream_id, by_us=by_us)


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
