"""One client that asks again and again, one request at a time, and notes how long each answer took.

    python -m benchmarks.pacer PORT PATH COUNT RATE [ADDRESS]      prints the times in microseconds, one a line

RATE is requests per second, 0 as fast as the answers come. One keep-alive connection; a blocking socket, so that
nothing of an event loop is measured.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator


def times_us(port: int, path: str, count: int, rate: int, address: str = "127.0.0.1") -> Iterator[float]:
    """From before the sending of each request until its answer is whole. Raises OSError, EOFError."""
    request = f"GET /{path} HTTP/1.1\r\nHost: {address}:{port}\r\n\r\n".encode("ascii")
    with socket.create_connection((address, port), 5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = _answer(connection, request, None)
        due = time.monotonic()
        for _ in range(count):
            if rate:
                due += 1 / rate
                time.sleep(max(0.0, due - time.monotonic()))
            began = time.perf_counter()
            _answer(connection, request, size)
            yield (time.perf_counter() - began) * 1e6


def _answer(connection: socket.socket, request: bytes, size: int | None) -> int:
    """Ask once and read the whole answer: `size` bytes, or as many as its head says. Returns how many."""
    connection.sendall(request)
    received = b""
    while size is None or len(received) < size:
        data = connection.recv(65_536)
        if not data:
            raise EOFError("the connection ended")
        received += data
        if size is None and b"\r\n\r\n" in received:
            head, _, body = received.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            size = len(received) - len(body) + length
    return size


if __name__ == "__main__":
    chosen = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for taken in times_us(*chosen, *sys.argv[5:6]):
        print(f"{taken:.1f}")
