"""A load client: `python -m benchmarks.download PORT STREAMS MEGABYTES [ADDRESS]` reads that much and prints the bytes.

The kernel throws the bytes away (MSG_TRUNC), so that the client costs next to nothing beside the proxy.
"""

from __future__ import annotations

import selectors
import socket
import sys

CHUNK = 1 << 20


def download(port: int, streams: int, limit: int, address: str = "127.0.0.1") -> int:
    """Read /bulk over several connections until `limit` bytes have come."""
    waiting = selectors.DefaultSelector()
    opened = [_ask(address, port) for _ in range(streams)]
    for connection in opened:
        waiting.register(connection, selectors.EVENT_READ)
    moved = 0
    buffer = bytearray(CHUNK)
    while moved < limit:
        for key, _ in waiting.select():
            assert isinstance(key.fileobj, socket.socket)
            count = key.fileobj.recv_into(buffer, CHUNK, socket.MSG_TRUNC | socket.MSG_DONTWAIT)
            if not count:
                raise ConnectionError("the proxy ended a download early")
            moved += count
    for connection in opened:
        connection.close()
    return moved


def _ask(address: str, port: int) -> socket.socket:
    connection = socket.create_connection((address, port))
    connection.sendall(b"GET /bulk HTTP/1.1\r\nHost: bench\r\n\r\n")
    return connection


if __name__ == "__main__":
    print(download(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) * 1_000_000, *sys.argv[4:5]))
