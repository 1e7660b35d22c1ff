"""The h2 library's connection, as this package wants it: frames in, its events out, what is to be sent beside. Pure.

The one module that touches h2. What is different from h2 taken as it is:

- Its errors become Violation, and the GOAWAY that it makes of each is dropped: session.py sends the one that is right.
- Header blocks do not come here. The session decodes and judges them, and then tells h2 of a HEADERS frame whose block
  is empty: h2 ends the connection for a list that it does not like, which other users of a proxy may be on.
- It neither counts open streams (it looks at each of them for every new one, and ends the connection when there are
  too many) nor remembers those that have ended (65,536 for each connection): both are the session's.
- Windows are opened by hand. h2's own way ties the connection's to the streams', and gives a stream that has used up
  its window little more than a kilobyte at a time.
"""

from __future__ import annotations

from functools import lru_cache

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    PingAckReceived,
    RemoteSettingsChanged,
    SettingsAcknowledged,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from h2.stream import H2Stream

from balancer.config_http2 import Http2
from balancer.http2 import frames
from balancer.http2.compression import FieldDecoder, FieldEncoder, Fields
from balancer.http2.errors import ErrorCode, Reason, Violation

__all__ = (
    "DataReceived",
    "Event",
    "H2Stream",
    "Library",
    "PingAckReceived",
    "RemoteSettingsChanged",
    "SettingsAcknowledged",
    "StreamReset",
    "WindowUpdated",
)

DEFAULT_WINDOW = 65_535
NO_RFC7540_PRIORITIES = 0x9
_UNDERSTOOD = frozenset(
    (
        SettingCodes.HEADER_TABLE_SIZE,
        SettingCodes.ENABLE_PUSH,
        SettingCodes.INITIAL_WINDOW_SIZE,
        SettingCodes.MAX_FRAME_SIZE,
    )
)
"""Settings of a client that mean something here. h2 would keep every other one too: 65,536 of them are 45 MB."""
MOST_REPEATS = 32
"""Values of one setting in one frame. Each is work; no client has a reason for a second one."""
_OUR_FRAME_BYTES = 65_536
"""What we send at once, however much a client would take: streams must have their turn."""
_ACKNOWLEDGEMENT = frames.frame(frames.SETTINGS, frames.ACK, 0)
_REASONS = {
    ErrorCodes.FRAME_SIZE_ERROR: Reason.FRAME_LENGTH,
    ErrorCodes.FLOW_CONTROL_ERROR: Reason.WINDOW,
    ErrorCodes.STREAM_CLOSED: Reason.STREAM_CLOSED,
}
_CONFIG = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_outbound_headers=False,  # what goes out was read by a strict parser already
    normalize_outbound_headers=False,
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
)


class _Connection(H2Connection):
    MAX_CLOSED_STREAMS = 1  # those that end are taken out at once, by `forget`

    @property
    def open_inbound_streams(self) -> int:
        """See above."""
        return 0


class Library:
    """One connection of h2. `outgoing` is what is to be sent, but for DATA."""

    __slots__ = ("_h2", "decoder", "outgoing")

    def __init__(self, config: Http2) -> None:
        self._h2 = h2 = _Connection(_CONFIG)
        h2.decoder = self.decoder = FieldDecoder(config.header_list_bytes)
        h2.encoder = FieldEncoder()
        h2.max_inbound_frame_size = config.frame_bytes  # whether or not the client has acknowledged it
        h2.local_settings = _local_settings(config.window_bytes)
        h2.receive_data(frames.PREFACE)  # the session has seen it
        self.outgoing = bytearray(frames.settings(_our_settings(config)))

    def receive(self, frame: frames.Frame) -> list[Event]:
        """What a frame brings about. Raises Violation: an error of the connection."""
        return self._receive(frames.frame(*frame))

    def settings(self, payload: bytes) -> list[Event]:
        """SETTINGS, by what is understood of it. Raises Violation.

        All values count, in their order (RFC 9113 section 6.5.3), while h2 looks at the last of each alone: where one
        is repeated, it is told of several frames, and acknowledges one.
        """
        pieces: list[dict[int, int]] = [{}]
        for identifier, value in frames.settings_of(payload):
            if identifier in _UNDERSTOOD:
                if identifier in pieces[-1]:
                    pieces.append({})
                pieces[-1][identifier] = value
        if len(pieces) > MOST_REPEATS:
            raise Violation(Reason.TOO_MANY_IDLE_FRAMES)
        for piece in pieces[:-1]:
            self._receive(frames.settings(piece), unsent=_ACKNOWLEDGEMENT)
        return self._receive(frames.settings(pieces[-1]))

    def begin(self, stream_id: int, *, ended: bool) -> H2Stream:
        """HEADERS of a new stream. Raises Violation where its number is not what a client may take."""
        self._headers(stream_id, ended=ended)
        return self._h2.streams[stream_id]

    def trailers(self, stream_id: int) -> list[Event]:
        """HEADERS that end a stream which is open."""
        return self._headers(stream_id, ended=True)

    def _headers(self, stream_id: int, *, ended: bool) -> list[Event]:
        flags = frames.END_HEADERS | (frames.END_STREAM if ended else 0)
        return self._receive(frames.frame(frames.HEADERS, flags, stream_id))

    def ignored_data(self, frame: frames.Frame) -> None:
        """DATA of a stream that we have reset: it takes from the connection's window all the same. Raises Violation."""
        self._receive(frames.frame(*frame), unsent=frames.reset(frame.stream_id, ErrorCode.STREAM_CLOSED))

    def _receive(self, data: bytes, unsent: bytes = b"") -> list[Event]:
        """`unsent`: not to be said, though h2 says it at last."""
        h2 = self._h2
        try:
            events = h2.receive_data(data)
        except ProtocolError as error:
            h2.clear_outbound_data_buffer()  # its GOAWAY
            raise Violation(_REASONS.get(error.error_code, Reason.RULES), text=str(error)) from None
        self.outgoing += h2.data_to_send().removesuffix(unsent)
        return events

    def has_begun(self, stream_id: int) -> bool:
        """The client has begun this stream, or one after it."""
        return bool(stream_id % 2) and stream_id <= self._h2.highest_inbound_stream_id

    def reset(self, stream_id: int, code: int) -> None:
        """RST_STREAM, where the stream has not ended; nothing is kept of it."""
        stream = self._h2.streams[stream_id]
        if not stream.closed:
            self._h2.reset_stream(stream_id, code)
            self.outgoing += self._h2.data_to_send()
        self.forget(stream_id)

    def ignore(self, stream_id: int) -> None:
        """Take a stream for one that we have reset, without saying so."""
        self._h2.reset_stream(stream_id)
        self._h2.clear_outbound_data_buffer()
        self.forget(stream_id)

    def forget(self, stream_id: int) -> None:
        """Keep nothing of a stream that has ended."""
        self._h2.streams.pop(stream_id, None)

    def open_window(self, increment: int, stream_id: int | None = None) -> None:
        """WINDOW_UPDATE, of the connection or a stream that is open."""
        self._h2.increment_flow_control_window(increment, stream_id)
        self.outgoing += self._h2.data_to_send()

    def ping(self, payload: bytes) -> None:
        self._h2.ping(payload)
        self.outgoing += self._h2.data_to_send()

    def head(self, stream_id: int, fields: Fields, *, ended: bool) -> None:
        """HEADERS, of a response or its trailers."""
        self._h2.send_headers(stream_id, fields, end_stream=ended)
        self.outgoing += self._h2.data_to_send()

    def data(self, stream_id: int, data: bytes, *, ended: bool) -> None:
        """One DATA frame, with as much as `most_data` allows. `take` has it, `outgoing` not yet: it would be copied."""
        self._h2.send_data(stream_id, data, end_stream=ended)

    def take(self) -> bytes:
        """All that is to be sent since the last call."""
        data = self._h2.data_to_send()
        if self.outgoing:
            data = b"".join((self.outgoing, data))
            self.outgoing = bytearray()
        return data

    def most_data(self, stream_id: int) -> int:
        """How much a DATA frame may have now: less than nothing where settings took a window away."""
        h2 = self._h2
        return min(h2.local_flow_control_window(stream_id), h2.max_outbound_frame_size, _OUR_FRAME_BYTES)

    @property
    def window(self) -> int:
        """What the client lets us send on the connection."""
        return self._h2.outbound_flow_control_window


def _local_settings(window_bytes: int) -> Settings:
    """What h2 has to know of our settings: how large the windows of new streams are.

    A client that has not seen them goes by the default, and one that has may not say so at once: the larger of the two
    holds until it is acknowledged.
    """
    if window_bytes >= DEFAULT_WINDOW:
        return _settled(window_bytes)
    settings = Settings(client=False)
    settings[SettingCodes.INITIAL_WINDOW_SIZE] = window_bytes
    return settings


@lru_cache(maxsize=64)
def _settled(window_bytes: int) -> Settings:
    """Shared by all connections, for it changes no more: it is 6 KB, a third of what h2 takes for a connection."""
    return Settings(client=False, initial_values={SettingCodes.INITIAL_WINDOW_SIZE: window_bytes})


def _our_settings(config: Http2) -> dict[int, int]:
    return {
        SettingCodes.MAX_CONCURRENT_STREAMS: config.max_streams,
        SettingCodes.INITIAL_WINDOW_SIZE: config.window_bytes,
        SettingCodes.MAX_FRAME_SIZE: config.frame_bytes,
        SettingCodes.MAX_HEADER_LIST_SIZE: config.header_list_bytes,
        NO_RFC7540_PRIORITIES: 1,
    }
