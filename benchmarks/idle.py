"""A load client: `python -m benchmarks.idle PORT COUNT` opens keep-alive connections, sends one request on each, waits.

Prints a line when all are open and answered, and goes when its standard input ends.
"""

from __future__ import annotations

import socket
import sys


def main(port: int, count: int) -> None:
    opened = [_ask(port) for _ in range(count)]
    print(len(opened), flush=True)
    sys.stdin.read()
    for connection in opened:
        connection.close()


def _ask(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 30)
    connection.sendall(b"GET /100B HTTP/1.1\r\nHost: bench\r\n\r\n")
    received = b""
    while not received.endswith(b"\0" * 100):  # the file is a hundred zero bytes
        data = connection.recv(4096)
        if not data:
            raise ConnectionError("closed instead of answered")
        received += data
    return connection


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
