"""The one error of the HTTP/2 session: `Violation`, with a reason and the error code to answer with. Pure."""

from enum import Enum, IntEnum


class ErrorCode(IntEnum):
    """RFC 9113 section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class Reason(Enum):
    """What a client did that RFC 9113 forbids, or that is too much: (error code, text)."""

    PREFACE = (ErrorCode.PROTOCOL_ERROR, "not the connection preface of HTTP/2")
    FIRST_FRAME = (ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
    RULES = (ErrorCode.PROTOCOL_ERROR, "against the rules of HTTP/2")
    FRAME_TOO_LARGE = (ErrorCode.FRAME_SIZE_ERROR, "frame larger than our SETTINGS_MAX_FRAME_SIZE")
    FRAME_LENGTH = (ErrorCode.FRAME_SIZE_ERROR, "frame of a length that its type does not have")
    FRAME_TOO_SHORT = (ErrorCode.FRAME_SIZE_ERROR, "frame too short for its flags")
    PADDING = (ErrorCode.PROTOCOL_ERROR, "padding longer than the frame")
    STREAM_ZERO = (ErrorCode.PROTOCOL_ERROR, "frame that needs a stream, on stream 0")
    NOT_STREAM_ZERO = (ErrorCode.PROTOCOL_ERROR, "frame of the connection, on a stream")
    STREAM_IDLE = (ErrorCode.PROTOCOL_ERROR, "frame on a stream that was not begun")
    STREAM_CLOSED = (ErrorCode.STREAM_CLOSED, "frame on a stream that is closed")
    HALF_CLOSED = (ErrorCode.STREAM_CLOSED, "frame after the end of the request")
    PUSH_PROMISE = (ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE from a client")
    CONTINUATION_ALONE = (ErrorCode.PROTOCOL_ERROR, "CONTINUATION without a header block before it")
    BLOCK_INTERRUPTED = (ErrorCode.PROTOCOL_ERROR, "header block interrupted by another frame")
    COMPRESSION = (ErrorCode.COMPRESSION_ERROR, "header block that cannot be decoded")
    WINDOW_INCREMENT = (ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by 0")
    WINDOW = (ErrorCode.FLOW_CONTROL_ERROR, "more data than a window allows, or a window beyond 2^31-1")
    SETTINGS_TIMEOUT = (ErrorCode.SETTINGS_TIMEOUT, "our settings were not acknowledged in time")
    TOO_MANY_STREAMS = (ErrorCode.REFUSED_STREAM, "more streams than our SETTINGS_MAX_CONCURRENT_STREAMS")

    PSEUDO_UNKNOWN = (ErrorCode.PROTOCOL_ERROR, "pseudo-header field that no request has")
    PSEUDO_REPEATED = (ErrorCode.PROTOCOL_ERROR, "pseudo-header field twice")
    PSEUDO_LATE = (ErrorCode.PROTOCOL_ERROR, "pseudo-header field after others")
    PSEUDO_MISSING = (ErrorCode.PROTOCOL_ERROR, "mandatory pseudo-header field missing")
    PSEUDO_IN_TRAILER = (ErrorCode.PROTOCOL_ERROR, "pseudo-header field in a trailer section")
    METHOD = (ErrorCode.PROTOCOL_ERROR, "malformed :method")
    SCHEME = (ErrorCode.PROTOCOL_ERROR, "malformed :scheme")
    PATH = (ErrorCode.PROTOCOL_ERROR, "malformed :path")
    AUTHORITY = (ErrorCode.PROTOCOL_ERROR, "malformed :authority")
    CONNECT = (ErrorCode.PROTOCOL_ERROR, "CONNECT with :scheme or :path, or without :authority")
    FIELD_NAME = (ErrorCode.PROTOCOL_ERROR, "malformed or upper-case field name")
    FIELD_VALUE = (ErrorCode.PROTOCOL_ERROR, "NUL, CR, LF or surrounding white space in a field value")
    CONNECTION_FIELD = (ErrorCode.PROTOCOL_ERROR, "connection-specific field")
    TE = (ErrorCode.PROTOCOL_ERROR, "TE says more than trailers")
    HOST_DIFFERS = (ErrorCode.PROTOCOL_ERROR, "Host differs from :authority")
    LENGTH_MALFORMED = (ErrorCode.PROTOCOL_ERROR, "malformed Content-Length")
    LENGTH_DIFFERS = (ErrorCode.PROTOCOL_ERROR, "body of another length than Content-Length says")
    TRAILER_NOT_LAST = (ErrorCode.PROTOCOL_ERROR, "trailer section that does not end the stream")

    BLOCK_TOO_LARGE = (ErrorCode.ENHANCE_YOUR_CALM, "header block too large")
    TOO_MANY_CONTINUATIONS = (ErrorCode.ENHANCE_YOUR_CALM, "header block in too many pieces")
    TOO_MANY_RESETS = (ErrorCode.ENHANCE_YOUR_CALM, "too many streams that came to nothing")
    TOO_MANY_IDLE_FRAMES = (ErrorCode.ENHANCE_YOUR_CALM, "too many frames that carry nothing forward")

    @property
    def code(self) -> ErrorCode:
        return self.value[0]

    @property
    def text(self) -> str:
        return self.value[1]


class Violation(Exception):  # noqa: N818 - named for what it is
    """A rule of RFC 9113 was broken. `stream_id` is 0 where the whole connection has to end for it.

    `text`: what h2 says of it, or the reason's.
    """

    def __init__(self, reason: Reason, stream_id: int = 0, text: str = "") -> None:
        super().__init__(text or reason.text)
        self.reason = reason
        self.stream_id = stream_id
        self.text = text or reason.text
