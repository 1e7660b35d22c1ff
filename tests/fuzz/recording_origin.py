"""A server that writes down what it is asked, as h11 understands it: a reader that shares no line with ours."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import h11

Heard = tuple[bytes, bytes, bytes]
"""Method, target, body."""
ANSWER = [("x-origin", "1"), ("content-length", "0")]


class RecordingOrigin:
    """Every request is answered with an empty 200 that carries X-Origin. Connections are threads; they end with it."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listening.getsockname()[1]
        self.heard: list[Heard] = []
        self.malformed: list[str] = []
        """What h11 could not read: nothing of the kind may ever be sent here."""
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def taken(self) -> list[Heard]:
        """What was heard since the last time."""
        with self._lock:
            heard, self.heard = self.heard, []
            return heard

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(connection)
        with self._lock:
            self._open.discard(connection)

    def _converse(self, connection: socket.socket) -> None:
        server, request, body = h11.Connection(h11.SERVER), None, b""
        while True:
            try:
                event = server.next_event()
            except h11.RemoteProtocolError as error:
                if "without sending complete message body" not in str(error):
                    self.malformed.append(str(error))
                return
            if event is h11.NEED_DATA:
                if server.they_are_waiting_for_100_continue:
                    connection.sendall(server.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                server.receive_data(connection.recv(65536))
            elif isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                with self._lock:
                    self.heard.append((request.method, request.target, body))
                answer = server.send(h11.Response(status_code=200, headers=ANSWER)) or b""
                connection.sendall(answer + (server.send(h11.EndOfMessage()) or b""))
                if server.our_state is h11.MUST_CLOSE:
                    return
                with contextlib.suppress(h11.LocalProtocolError):
                    server.start_next_cycle()
            else:
                return


@contextlib.contextmanager
def recording() -> Iterator[RecordingOrigin]:
    origin = RecordingOrigin()
    try:
        yield origin
    finally:
        origin.close()
