"""One HTTP/2 stream in the guise of a connection: what serves HTTP/1.1 serves it too, and knows no difference.

Whoever serves it is handed the request's head as HTTP/1.1 has it, and reads its body here (in chunks where nobody said
how long it is), then the end. The response is written as HTTP/1.1, and taken apart again. Back-pressure both ways is
the session's windows: what is read here is what lets the client send more, and nothing more can be written while what
was written is waiting to be sent.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

from balancer.failures import Disconnected
from balancer.http1.chunked import encode_chunk
from balancer.http2.errors import ErrorCode
from balancer.http2.events import Body, Opened
from balancer.http2.response import ResponseReader
from balancer.http2.session import Session
from balancer.http2.streamstate import StreamState
from balancer.reactor import Reactor
from balancer.streams import RECEIVE_BYTES, Stream, Watcher
from balancer.task import Task


class Carrier(Protocol):
    """The connection that streams are part of."""

    reactor: Reactor
    session: Session
    stream: Stream

    def flush(self) -> None: ...


class VirtualStream(Stream):
    """See above. Events of the session come in by `take_body` and `lose`."""

    __slots__ = (
        "_carrier",
        "_chunked",
        "_inbound",
        "_lost",
        "_owner",
        "_response",
        "_state",
        "_tail",
        "_written",
        "sni",
        "tls",
    )

    spliceable = False
    via = b"2.0"

    def __init__(self, carrier: Carrier, opened: Opened) -> None:
        self.reactor = carrier.reactor
        self.fd = -1
        self.peername = carrier.stream.peername
        self.deadline = self.filed_at = inf
        self.closed = self.ended = self.idle = False
        self.readable = opened.ended
        self.watcher: Watcher | None = None
        self.proxied = carrier.stream.proxied
        self.sni = carrier.stream.sni
        self.tls = carrier.stream.tls
        self.referee: Callable[[], bool] | None = None
        self._reader: Task[Any] | None = None
        self._writer: Task[Any] | None = None
        self._writable = True
        self._carrier = carrier
        self._state: StreamState = carrier.session.streams[opened.stream_id]
        self._chunked = opened.chunked
        self._inbound = bytearray()  # one piece: a client may send it byte by byte
        self._tail: bytes | None = b"" if opened.ended else None
        """What ends the body, once it has come: b"", or the last chunk with its trailers."""
        self._response = ResponseReader(opened.method)
        self._written = 0
        self._lost = False
        self._owner: Task[Any] | None = None

    # What the session tells.

    def take_body(self, body: Body) -> None:
        """Some of the request's body, or its end."""
        if body.data:
            self._inbound += body.data
        if body.ended:
            self._tail = b"0\r\n%b\r\n" % body.trailers if self._chunked else b""
        self.readable = True
        if self._reader is not None:
            self._reader.wake()

    def sent(self) -> None:
        """Nothing that was written is waiting any more."""
        self._writable = True
        if self._writer is not None:
            self._writer.wake()

    def lose(self) -> None:
        """The client has reset the stream, or the connection is gone: whoever serves it hears of it at once."""
        self._lost = self.readable = self._writable = True  # who looks again finds out
        if self._owner is not None:
            self._owner.interrupt(Disconnected(self, errno.ECONNRESET))
        self._wake_both()

    # What a relay calls.

    def try_receive(self, max_bytes: int = RECEIVE_BYTES) -> bytes | None:
        self._reader = None
        self._check()
        data = self._take_inbound(max_bytes)
        if data:
            self._carrier.session.consumed(self._state.stream_id, len(data))
            self._carrier.flush()
            data = encode_chunk(data) if self._chunked else data
        if self._tail and not self._inbound:
            data, self._tail = data + self._tail, b""
        if data:
            self.readable = bool(self._inbound) or self._tail is not None
            return data
        self.readable = False
        self.ended = self._tail is not None
        return b"" if self.ended else None

    def _take_inbound(self, max_bytes: int) -> bytes:
        data = bytes(self._inbound[:max_bytes])
        del self._inbound[:max_bytes]
        return data

    async def splice_to(self, sink: Stream, max_bytes: int = RECEIVE_BYTES) -> int:
        return await self.copy_to(sink, min(max_bytes, RECEIVE_BYTES))

    def try_send(self, data: bytes | bytearray | memoryview) -> int:
        self._check()
        carrier, state = self._carrier, self._state
        sender = carrier.session.sender
        if sender.is_full(state):
            self._writable = False
            carrier.flush()
            return 0
        for part in self._response.feed(bytes(data)):
            if part.fields is None:
                sender.data(state, part.data, ended=part.ended)
                self._written += len(part.data)
            elif part.fields[0][0] == b":status":
                sender.head(state, part.fields, ended=part.ended)
            else:
                sender.end_with(state, part.fields)
        carrier.flush()
        return len(data)

    def acknowledged(self) -> int:
        """How much the client's windows have let go. What it has not asked for does not count."""
        return self._written - len(self._state.pending)

    async def until_sent(self) -> None:
        """Wait until the client has taken all that was written."""
        while self._state.waiting and not self._lost:
            self._writable = False
            await self._until_writable()

    def shutdown(self) -> None:
        """The response has ended. One that is not whole is shown as such by a reset."""
        for _ in self._response.close():
            self._carrier.session.sender.data(self._state, b"", ended=True)
            self._carrier.flush()
        if self._response.begun and not self._response.complete:
            self._reset(ErrorCode.INTERNAL_ERROR)
            self._lost = self.readable = True

    def close(self) -> None:
        """The end. A request whose rest nobody wants is reset with NO_ERROR (RFC 9113 section 8.1)."""
        if self.closed:
            return
        self.shutdown()
        if not self._response.begun:
            self._reset(ErrorCode.REFUSED_STREAM)
        elif self._response.complete:
            self._reset(ErrorCode.NO_ERROR)
        self._leave()

    def abort(self) -> None:
        """Whoever served the stream failed."""
        if not self.closed:
            self._reset(ErrorCode.INTERNAL_ERROR)
            self._leave()

    def _reset(self, code: ErrorCode) -> None:
        """Nothing, where both halves have ended."""
        self._carrier.session.reset(self._state.stream_id, code)
        self._carrier.flush()

    def _leave(self) -> None:
        self.closed = True
        if self.filed_at != inf:
            self.reactor.wheel.remove(self)
        self._wake_both()

    def _check(self) -> None:
        if self._lost or self.closed:
            raise Disconnected(self, errno.ECONNRESET if self._lost else errno.ECONNABORTED)

    @property
    def quiet(self) -> bool:
        return not (self.readable or self.ended or self.closed)

    def is_dry(self) -> bool:
        return self.quiet

    def interrupt_if_lost(self, task: Task[Any]) -> None:
        self._owner = task
        if self._lost:
            task.interrupt(Disconnected(self, errno.ECONNRESET))

    @property
    def sockname(self) -> Any:
        return self._carrier.stream.sockname
