"""The one error of the HTTP parsers: `BadMessage`, with a reason and a status to answer with. Pure."""

from enum import Enum


class Reason(Enum):
    """Why a message is refused: (status for a bad request, text). A bad response is a 502 whatever its reason."""

    METHOD = (400, "malformed method")
    REQUEST_LINE = (400, "malformed request line")
    VERSION = (505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    TARGET = (400, "malformed request target")
    TARGET_TOO_LONG = (414, "request target too long")
    BODY_TOO_LARGE = (413, "request body too large")
    CONNECT = (405, "CONNECT is not for a load balancer")
    STATUS_LINE = (400, "malformed status line")
    LINE_END = (400, "line not ended by CR LF")
    OBSOLETE_FOLD = (400, "header line begins with white space")
    FIELD_NAME = (400, "malformed header name")
    UNDERSCORE = (400, "underscore in a header name")
    FIELD_VALUE = (400, "control character in a header value")
    HEAD_TOO_LARGE = (431, "message head too large")
    TOO_MANY_FIELDS = (431, "too many header lines")
    HOST_MISSING = (400, "no Host header")
    HOST_REPEATED = (400, "more than one Host header")
    HOST_MALFORMED = (400, "malformed Host header")
    LENGTH_MALFORMED = (400, "malformed Content-Length")
    LENGTHS_DIFFER = (400, "Content-Length values differ")
    LENGTH_AND_CODING = (400, "both Content-Length and Transfer-Encoding")
    CODING_IN_1_0 = (400, "Transfer-Encoding in an HTTP/1.0 message")
    CODING_UNKNOWN = (501, "Transfer-Encoding is not chunked")
    EXPECTATION = (417, "unknown expectation")
    MAX_FORWARDS = (400, "malformed Max-Forwards")
    CONNECTION_OPTION = (400, "malformed Connection header")
    CHUNK_SIZE = (400, "malformed chunk size")
    CHUNK_END = (400, "chunk data not ended by CR LF")
    CHUNK_EXTENSIONS = (400, "chunk extensions too large")
    TRAILER = (400, "malformed trailer section")
    TRAILER_TOO_LARGE = (400, "trailer section too large")
    TRACE_WITH_BODY = (400, "TRACE with a body")
    UPGRADE_UNASKED = (400, "protocol switched without being asked")

    @property
    def status(self) -> int:
        return self.value[0]

    @property
    def text(self) -> str:
        return self.value[1]


class BadMessage(Exception):  # noqa: N818 - named for what it is about
    """Bytes that are no acceptable HTTP/1.1 message. The connection that they came from cannot be used any more."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason
        self.data = b""
        """The bytes, where whoever met it has them."""

    @property
    def status(self) -> int:
        """What to answer when the bytes were a request."""
        return self.reason.status
