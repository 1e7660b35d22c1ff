"""A web server small enough to read: `python -m hapair.lab.webserver NAME PORT`. Keep-alive; every path is there.

Every answer names the server and who connected to it, which is how a client tells which node carried its request.
"""

import os
import sys

import trio

_HEAD_LIMIT = 16_384


async def main(name: str, port: int) -> None:
    """Serve for ever; a line on stdout says when that begins."""

    async def serve(stream: trio.SocketStream) -> None:
        peer = stream.socket.getpeername()[0]
        await _converse(stream, response(name, peer))

    listeners = await trio.open_tcp_listeners(port)
    os.write(sys.stdout.fileno(), b"listening\n")  # in one piece: its reader hangs up after the first
    await trio.serve_listeners(serve, listeners)


def response(name: str, peer: str) -> bytes:
    """The bytes of every answer to `peer`."""
    body = f"{name} was asked by {peer}\n".encode()
    fields = f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\nX-Server: {name}\r\nX-Node: {peer}\r\n"
    return f"HTTP/1.1 200 OK\r\n{fields}\r\n".encode() + body


async def _converse(stream: trio.SocketStream, answer: bytes) -> None:
    received = b""
    try:
        while data := await stream.receive_some(65536):
            *heads, received = (received + data).split(b"\r\n\r\n")
            if heads:
                await stream.send_all(answer * len(heads))
            if len(received) > _HEAD_LIMIT or any(b"\r\nconnection: close" in head.lower() for head in heads):
                return
    except trio.BrokenResourceError:
        return


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]))
