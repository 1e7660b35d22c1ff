"""Chunked bodies (RFC 9112 section 7.1): an incremental decoder, and the encoding of what is sent on. Pure.

Chunks are decoded and encoded anew: extensions end here, and what two servers could read differently is never sent.
"""

from balancer.http1.errors import BadMessage, Reason
from balancer.http1.fields import FORBIDDEN_TRAILERS
from balancer.http1.framing import LONGEST
from balancer.http1.grammar import CHUNK_LINE, FIELD_LINES, TRAILER_SECTION

MOST_EXTENSION_BYTES = 4_096
"""Of one body in all: extensions carry nothing, so that many of them are an attack."""
LARGEST_TRAILER = 8_192
_LONGEST_LINE = 18 + MOST_EXTENSION_BYTES

LAST_CHUNK = b"0\r\n\r\n"


def encode_chunk(data: bytes) -> bytes:
    """`data`, which must not be empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class ChunkedDecoder:
    """Takes the bytes of a chunked body piece by piece; any split gives the same body or the same error."""

    __slots__ = ("_buffer", "_data_left", "_extension_bytes", "_in_trailer", "done", "surplus", "trailer")

    def __init__(self) -> None:
        self.done = False
        self.surplus = b""
        """What followed the body."""
        self.trailer = b""
        """The trailer's field lines that may be sent on."""
        self._buffer = b""
        self._data_left = 0
        """Bytes of the current chunk still to come, its CR LF included."""
        self._extension_bytes = 0
        self._in_trailer = False

    def feed(self, data: bytes) -> bytes:
        """The body bytes that `data` completes. Raises BadMessage."""
        if self._buffer:
            data = self._buffer + data
        pieces = []
        position = 0
        while not self._in_trailer:
            if self._data_left:
                end = position + self._data_left - 2
                pieces.append(data[position:end])
                if len(data) < end + 2:
                    return self._keep_open_chunk(data, position, pieces)
                if data[end : end + 2] != b"\r\n":
                    raise BadMessage(Reason.CHUNK_END)
                position = end + 2
            line = CHUNK_LINE.match(data, position)
            if line is None:
                self._buffer = _unfinished_line(data[position:])
                self._data_left = 0
                return b"".join(pieces)
            position = line.end()
            self._open_chunk(line[1], line[2])
        self._buffer = data[position:]
        self._read_trailer()
        return b"".join(pieces)

    def _keep_open_chunk(self, data: bytes, position: int, pieces: list[bytes]) -> bytes:
        available = len(data) - position
        taken = min(available, self._data_left - 2)
        self._data_left -= taken
        self._buffer = data[position + taken :]
        if self._buffer and self._buffer != b"\r":
            raise BadMessage(Reason.CHUNK_END)
        return b"".join(pieces)

    def _open_chunk(self, digits: bytes, extension: bytes | None) -> None:
        if extension:
            self._extension_bytes += len(extension)
            if self._extension_bytes > MOST_EXTENSION_BYTES:
                raise BadMessage(Reason.CHUNK_EXTENSIONS)
        size = int(digits, 16)
        if size > LONGEST:
            raise BadMessage(Reason.CHUNK_SIZE)
        if size:
            self._data_left = size + 2
        else:
            self._in_trailer = True

    def _read_trailer(self) -> None:
        match = TRAILER_SECTION.match(self._buffer)
        if match and match.end() <= LARGEST_TRAILER:
            self.done = True
            self.surplus = self._buffer[match.end() :]
            self.trailer = FORBIDDEN_TRAILERS.sub(b"", b"\n" + match[1])[1:]
            self._buffer = b""
            return
        lines = self._buffer[: self._buffer.rfind(b"\n", 0, LARGEST_TRAILER) + 1]
        if not FIELD_LINES.fullmatch(lines):
            raise BadMessage(Reason.TRAILER)
        if len(self._buffer) >= LARGEST_TRAILER:
            raise BadMessage(Reason.TRAILER_TOO_LARGE)


def _unfinished_line(rest: bytes) -> bytes:
    """What is there of a chunk-size line. Raises BadMessage for what can never become one."""
    if b"\n" in rest[:_LONGEST_LINE]:
        raise BadMessage(Reason.CHUNK_SIZE)
    if len(rest) >= _LONGEST_LINE:
        raise BadMessage(Reason.CHUNK_EXTENSIONS)
    return rest
