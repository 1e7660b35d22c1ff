"""A web server small enough to read: `python -m hapair.lab.webserver NAME PORT`. Keep-alive; every path is there.

Every answer names the server and who connected to it, which is how a client tells which node carried its request.
A path that begins with /bulk/ (see bulk.py) gives a long body in small pieces, for downloads that stay open.
"""

import os
import sys

import trio

from hapair.lab.bulk import PIECE, parse, piece

_HEAD_LIMIT = 16_384


async def main(name: str, port: int) -> None:
    """Serve for ever; a line on stdout says when that begins."""

    async def serve(stream: trio.SocketStream) -> None:
        peer = stream.socket.getpeername()[0]
        await _converse(stream, name, peer)

    listeners = await trio.open_tcp_listeners(port, backlog=1024)
    os.write(sys.stdout.fileno(), b"listening\n")  # in one piece: its reader hangs up after the first
    await trio.serve_listeners(serve, listeners)


def response(name: str, peer: str) -> bytes:
    """The bytes of every short answer to `peer`."""
    body = f"{name} was asked by {peer}\n".encode()
    return head(name, peer, len(body)) + body


def head(name: str, peer: str, length: int) -> bytes:
    """The head of an answer with a body of this many bytes."""
    fields = f"Content-Type: text/plain\r\nContent-Length: {length}\r\nX-Server: {name}\r\nX-Node: {peer}\r\n"
    return f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode()


async def _converse(stream: trio.abc.Stream, name: str, peer: str) -> None:
    received, answer = b"", response(name, peer)
    try:
        while data := await stream.receive_some(65536):
            *heads, received = (received + data).split(b"\r\n\r\n")
            for request in heads:
                if bulk := parse(request.split(b" ", 2)[1]):
                    await _send_bulk(stream, head(name, peer, bulk[1] * PIECE), *bulk)
                else:
                    await stream.send_all(answer)
            if len(received) > _HEAD_LIMIT or any(b"\r\nconnection: close" in request.lower() for request in heads):
                return
    except trio.BrokenResourceError:
        return


async def _send_bulk(stream: trio.abc.Stream, head: bytes, name: str, pieces: int, every_ms: int) -> None:
    await stream.send_all(head)
    for number in range(pieces):
        await stream.send_all(piece(name, number))
        await trio.sleep(every_ms / 1000)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]))
