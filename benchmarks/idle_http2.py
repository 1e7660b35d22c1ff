"""A load client: `python -m benchmarks.idle_http2 PORT COUNT STREAMS` opens HTTP/2 connections and waits.

Each is asked for something once, and then holds STREAMS requests whose bodies do not come. Prints a line when all are
open and answered, and goes when its standard input ends.
"""

from __future__ import annotations

import socket
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

HEAD = ((":scheme", "http"), (":path", "/100B"), (":authority", "bench"))


def main(port: int, count: int, streams: int) -> None:
    opened = [_ask(port, streams) for _ in range(count)]
    print(len(opened), flush=True)
    sys.stdin.read()
    for connection in opened:
        connection.close()


def _ask(port: int, streams: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 30)
    h2 = H2Connection(H2Configuration())
    h2.initiate_connection()
    h2.send_headers(1, [(":method", "GET"), *HEAD], end_stream=True)
    connection.sendall(h2.data_to_send())
    while not any(isinstance(event, StreamEnded) for event in h2.receive_data(_received(connection))):
        pass
    for number in range(streams):
        h2.send_headers(3 + 2 * number, [(":method", "POST"), *HEAD, ("content-length", "5")])
    connection.sendall(h2.data_to_send())
    if streams:
        h2.ping(b"all seen")
        connection.sendall(h2.data_to_send())
        _received(connection)
    return connection


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError("closed instead of answered")
    return data


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
