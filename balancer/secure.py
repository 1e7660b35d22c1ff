"""TLS connections, to be used as any other Stream: bytes go in and out in clear, what is on the wire is not.

A SecureStream is a plain one until its `handshake`: what comes before that (a PROXY protocol header) is read as ever.
From then on `ssl` works in memory, and the socket is read and written as a plain Stream does it: one receive takes many
records at once, and 64 KiB are sent in one call. (A TLS object on the socket itself asks the kernel twice for each
record that comes, once more to learn that there are no more, and sends each record by itself.)

- **Taken is sent.** `try_send` says of bytes that they are taken once the kernel has all of their records. While it
  does not, one byte less is taken than was encrypted: whoever waits to send it waits for the records too.
- **The end is said** (close_notify) before it is shown. Where the kernel has no room for it, it is sent later.
- An end that was not said may be an attacker's work. The stream reads as ended and is `truncated`: where a body ends
  with the connection, its length is not known then; a relay of bytes passes such an end on unsaid.
"""

from __future__ import annotations

import hashlib
import ssl
from contextlib import suppress
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP
from typing import Any

from balancer.failures import HandshakeFailed, StreamFailure, TlsBroken
from balancer.pipes import PIPE_BYTES
from balancer.streams import COPY_BYTES, RECEIVE_BYTES, Stream
from balancer.tls.info import ClientCertificate, TlsInfo, client_certificate

_SEND_BYTES = 65_536
_GOODBYE_S = 5.0
_INPUT = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI
_OUTPUT = EPOLLOUT | EPOLLHUP | EPOLLERR


class SecureStream(Stream):
    """A TCP connection with TLS on it, from `handshake` on."""

    __slots__ = (
        "_debt",
        "_ending",
        "_incoming",
        "_outgoing",
        "_plain",
        "_said_end",
        "_session",
        "_unsent",
        "_wire_ended",
        "_wire_readable",
        "tls",
        "truncated",
    )

    spliceable = False

    def __init__(self, reactor: Any, connected: Any, peername: Any) -> None:
        super().__init__(reactor, connected, peername)
        self.tls: TlsInfo | None = None
        self.truncated = False
        self._session: ssl.SSLObject | None = None
        self._incoming: ssl.MemoryBIO
        self._outgoing: ssl.MemoryBIO
        self._plain = b""
        self._unsent: bytes | memoryview = b""
        self._debt = 0
        self._said_end = False
        self._ending = False
        self._wire_readable = False
        self._wire_ended = False

    async def handshake(
        self,
        context: ssl.SSLContext,
        *,
        server_name: str | None = None,
        server_side: bool = True,
        received: bytes = b"",
    ) -> TlsInfo:
        """Make the connection secret. `received`: what was read of it already.

        Raises HandshakeFailed (the peer has been told why), Disconnected, and DeadlineExpired by `deadline`.
        """
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(incoming, outgoing, server_side, server_name)
        if server_side and not received:
            received = await self.receive()  # nothing to say before: asking would cost an exception
        incoming.write(received)
        while True:
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                self._send_alert(outgoing)
                raise HandshakeFailed(self, reason_of(error)) from None
            else:
                break
            if outgoing.pending:
                await self.send_all(outgoing.read())
            if not (data := await self.receive()):
                raise HandshakeFailed(self, "the connection ended during the handshake")
            incoming.write(data)
        if outgoing.pending and not incoming.pending:
            await self.send_all(outgoing.read())  # or else it goes with the answer to what is here already
        return self._begin(session, incoming, outgoing, server_name)

    def _begin(
        self, session: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_name: str | None
    ) -> TlsInfo:
        self._session, self._incoming, self._outgoing = session, incoming, outgoing
        self._wire_readable, self._wire_ended = self.readable, self.ended
        if self.ended:
            self.ended = False
            incoming.write_eof()
        self.readable = bool(incoming.pending) or self._wire_readable or self._wire_ended
        cipher = session.cipher()
        self.tls = TlsInfo(
            version=session.version() or "",
            cipher=cipher[0] if cipher else "",
            alpn=session.selected_alpn_protocol(),
            server_name=getattr(session, "asked_name", None) if session.server_side else server_name,
            resumed=bool(session.session_reused),
            client=_client(session) if session.server_side else None,
        )
        self.sni = self.tls.server_name
        return self.tls

    def _send_alert(self, outgoing: ssl.MemoryBIO) -> None:
        """Why there will be no connection. Best effort: the peer may be gone."""
        if outgoing.pending:
            with suppress(StreamFailure):
                self.try_send(outgoing.read())

    def try_receive(self, max_bytes: int = RECEIVE_BYTES) -> bytes | None:
        if self._session is None:
            return super().try_receive(max_bytes)
        self._reader = None
        if self.ended:
            super().try_receive(max_bytes)  # a reset since then raises; anything else is nothing
            return b""
        if self._plain:
            kept, self._plain = self._plain[:max_bytes], self._plain[max_bytes:]
            return kept
        while (data := self._decrypt(max_bytes)) is None:
            if self._wire_ended or not self._wire_readable:
                self.readable = False
                break
            self._take_from_wire()
        if not data and self._outgoing.pending and not self._unsent:
            self._send_unasked()
        return data

    def _take_from_wire(self) -> None:
        received = super().try_receive(RECEIVE_BYTES)
        self._wire_readable = self.readable
        if received:
            self._incoming.write(received)
        if self.ended:
            self.ended = False
            self._wire_ended = True
            self._incoming.write_eof()

    def _decrypt(self, max_bytes: int) -> bytes | None:
        """What is there; b"" at the end; None where more must come first."""
        session, incoming = self._session, self._incoming
        assert session is not None
        pieces: list[bytes] = []
        room = max_bytes
        more = False
        try:
            while room and (data := session.read(room)):
                pieces.append(data)
                room -= len(data)
                if not (more := bool(session.pending() or incoming.pending)):
                    break
            else:
                more = True  # or the end, which the next call meets again
        except ssl.SSLWantReadError:
            if not pieces:
                return None
            more = False
        except ssl.SSLError as error:
            if not pieces:
                return self._at_tls_end(error)
            more = True
        if not pieces:
            return self._at_tls_end(None)
        self.readable = more or self._wire_readable or self._wire_ended
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _at_tls_end(self, error: ssl.SSLError | None) -> bytes:
        """The end, said or not. Raises TlsBroken where the records make no sense."""
        if isinstance(error, ssl.SSLEOFError):
            self.truncated = True
        elif error is not None and not isinstance(error, ssl.SSLZeroReturnError):
            raise TlsBroken(self, reason_of(error)) from None
        self.ended = True
        self.readable = self._failed
        return b""

    def _send_unasked(self) -> None:
        """What TLS itself has to say: session tickets, an answer to a change of keys."""
        self._unsent = self._outgoing.read()
        self._flush()

    def try_send(self, data: bytes | bytearray | memoryview) -> int:
        session = self._session
        if session is None:
            return super().try_send(data)
        if self._unsent and not self._flush():
            return 0
        offered, taken, self._debt = len(data), self._debt, 0
        if taken < offered:
            view, end = memoryview(data), min(offered, taken + _SEND_BYTES)
            try:
                while taken < end:
                    taken += session.write(view[taken:end])
            except ssl.SSLError as error:
                raise TlsBroken(self, reason_of(error)) from None
            self._unsent = self._outgoing.read()
            if not self._flush():
                self._debt = 1
                return taken - 1
        return taken

    def try_last(self, data: bytes) -> int:
        """As `try_send`, for the last bytes of all: the end goes with them, in one call."""
        session = self._session
        if session is None or self._unsent or self._debt or self._said_end or not 0 < len(data) <= _SEND_BYTES:
            return self.try_send(data)
        try:
            session.write(data)
        except ssl.SSLError as error:
            raise TlsBroken(self, reason_of(error)) from None
        self._end_session(session)
        self._unsent = self._outgoing.read()
        if self._flush():
            return len(data)
        self._debt = 1
        return len(data) - 1

    def _flush(self) -> bool:
        """Whether all records are with the kernel."""
        unsent = self._unsent
        sent = super().try_send(unsent)
        if sent < len(unsent):
            self._unsent = memoryview(unsent)[sent:]
            return False
        self._unsent = b""
        return True

    async def splice_to(self, sink: Stream, max_bytes: int = PIPE_BYTES) -> int:
        """As Stream's, through this process."""
        return await self.copy_to(sink, min(max_bytes, COPY_BYTES))

    def shutdown(self) -> None:
        if self._shut or self.closed:
            return
        if not self._say_end():
            self._ending = True  # the rest follows when the kernel has room
            return
        super().shutdown()

    def end_early(self) -> None:
        """As `shutdown`, but the end is not said: the peer's peer did not say it either."""
        self._said_end = True
        super().shutdown()

    def _say_end(self) -> bool:
        """close_notify, once. False: the kernel has not taken it yet."""
        if self._session is not None and not self._said_end:
            self._end_session(self._session)
            if self._outgoing.pending:
                self._unsent = bytes(self._unsent) + self._outgoing.read()
        try:
            return not self._unsent or self._flush()
        except StreamFailure:
            self._unsent = b""
            return True

    def _end_session(self, session: ssl.SSLObject) -> None:
        self._said_end = True
        self._keep_plain()
        with suppress(ssl.SSLError):  # it waits for the peer's, or the connection was broken already
            session.unwrap()

    def _keep_plain(self) -> None:
        """Decrypt what is here: when the end is said, OpenSSL looks for the peer's and drops what it finds."""
        with suppress(StreamFailure):
            while not self.ended and (self._incoming.pending or self._pending()):
                if not (data := self._decrypt(RECEIVE_BYTES)):
                    break
                self._plain += data
        if self._plain:
            self.readable, self.ended = True, False

    def has_left(self) -> bool:
        if self._session is None or self._plain:
            return self._session is None and super().has_left()
        try:
            data = self.try_receive()
        except StreamFailure:
            return True
        if data:
            self._plain, self.readable = data, True
        return data == b""

    def _pending(self) -> int:
        return 0 if self._session is None else self._session.pending()

    def close(self) -> None:
        if self.closed:
            return
        if self._say_end():
            super().close()
        else:
            self._close_later()

    def _close_later(self) -> None:
        """Closed for everybody but a task that sees the last records off."""
        self.reactor.unwatch(self.fd)
        last = Stream(self.reactor, self._socket, self.peername)
        self.closed = True
        self.watcher = None
        if self.filed_at != float("inf"):
            self.reactor.wheel.remove(self)
        self._wake_both()
        self.reactor.spawn(_see_off(last, bytes(self._unsent)))

    def abort(self) -> None:
        self._said_end = True
        self._unsent = b""
        super().abort()

    def on_events(self, mask: int) -> None:
        if mask & _INPUT:
            self._wire_readable = True
        super().on_events(mask)
        if self._ending and mask & _OUTPUT and not self._shut and self._say_end():
            super().shutdown()


async def _see_off(stream: Stream, data: bytes) -> None:
    stream.deadline = stream.reactor.now + _GOODBYE_S
    try:
        await stream.send_all(data)
    finally:
        stream.close()


def _client(session: ssl.SSLObject) -> ClientCertificate | None:
    if session.context.verify_mode == ssl.CERT_NONE:
        return None
    shown = session.getpeercert()
    der = session.getpeercert(binary_form=True) if shown else None
    if not shown or der is None:
        return None
    serial = str(shown.get("serialNumber", ""))
    return client_certificate(shown.get("subject", ()), serial, hashlib.sha256(der).hexdigest())  # type: ignore[arg-type]


def reason_of(error: ssl.SSLError) -> str:
    """In words, for logs: `certificate verify failed: certificate has expired`."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    reason = getattr(error, "reason", None)
    return str(error) if reason is None else str(reason).lower().replace("_", " ")
