"""An HTTP/1.1 response as it is written for a client, taken apart again for HTTP/2 (RFC 9113 section 8.3.2). Pure.

What is read here was written by this program, so that bytes which are no response are a bug, not a hostile server.
"""

from typing import NamedTuple

from balancer.http1.chunked import ChunkedDecoder
from balancer.http1.framing import CHUNKED, UNTIL_CLOSE
from balancer.http1.response import ResponseHead, parse_response
from balancer.http2.compression import Fields


class Part(NamedTuple):
    """A piece of a response, in the order in which they are sent: a head or trailers, then data."""

    fields: Fields | None
    """A header list, or None for data."""
    data: bytes = b""
    ended: bool = False
    """The response ends with this part."""


class ResponseReader:
    """Takes the bytes of one response piece by piece."""

    __slots__ = ("_buffer", "_decoder", "_left", "_method", "begun", "complete")

    def __init__(self, method: bytes) -> None:
        self.begun = False
        """The final head has been read."""
        self.complete = False
        self._method = method
        self._buffer = b""
        self._left = 0
        self._decoder: ChunkedDecoder | None = None

    def feed(self, data: bytes) -> list[Part]:
        """What `data` completes. What follows the response's end is not looked at."""
        parts: list[Part] = []
        if not self.begun:
            data = self._buffer + data
            while not self.begun and (head := parse_response(data, self._method)) is not None:
                data = data[head.size :]
                self._begin(head, parts)
            self._buffer = b"" if self.begun else data
        if self.begun and data and not self.complete:
            self._take_body(data, parts)
        return parts

    def close(self) -> list[Part]:
        """The end of the bytes: it ends a body that had no other end."""
        if self.complete or not self.begun or self._decoder is not None or self._left != UNTIL_CLOSE:
            return []
        self.complete = True
        return [Part(None, ended=True)]

    def _begin(self, head: ResponseHead, parts: list[Part]) -> None:
        final = head.status >= 200
        self.begun = final
        self.complete = final and head.body == 0
        if final:
            self._left = head.body
            self._decoder = ChunkedDecoder() if head.body == CHUNKED else None
        parts.append(Part(_header_list(head), ended=self.complete))

    def _take_body(self, data: bytes, parts: list[Part]) -> None:
        if self._decoder is not None:
            self._take_chunks(self._decoder, data, parts)
            return
        if self._left != UNTIL_CLOSE:
            data = data[: self._left]
            self._left -= len(data)
            self.complete = self._left == 0
        parts.append(Part(None, data, ended=self.complete))

    def _take_chunks(self, decoder: ChunkedDecoder, data: bytes, parts: list[Part]) -> None:
        body = decoder.feed(data)
        self.complete = decoder.done
        trailer = _fields_of(decoder.trailer) if decoder.done else []
        if body or (self.complete and not trailer):
            parts.append(Part(None, body, ended=self.complete and not trailer))
        if trailer:
            parts.append(Part(trailer, ended=True))


def _header_list(head: ResponseHead) -> Fields:
    """`passing` is without the fields that concern one connection only."""
    lines = head.passing[head.passing.index(b"\n") + 1 :]
    fields = _fields_of(lines)
    if head.length is not None:
        fields.append((b"content-length", b"%d" % head.length))
    return [(b":status", b"%d" % head.status), *fields]


def _fields_of(lines: bytes) -> Fields:
    fields = []
    for line in lines.split(b"\r\n"):
        if line:
            name, _, value = line.partition(b":")
            fields.append((name.lower(), value.strip(b" \t")))
    return fields
