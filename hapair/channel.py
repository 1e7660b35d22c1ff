"""Typed messages between two processes of a node, over a stream socketpair; file descriptors can ride along.

A frame is a 32-bit length, then JSON. `post` never blocks: what cannot be sent yet waits, and of two waiting messages
with the same key the newest wins, so that a reader that is slow sees the newest state and never a queue of old ones.
"""

import array
import os
import socket
import struct
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import trio

from hapair.wire import WireError, decode, encode

_LENGTH = struct.Struct("!IH")  # bytes of JSON, file descriptors that come with it
_FRAME_LIMIT = 16 * 1024 * 1024
MAX_FDS = 250  # the kernel takes 253 with one message
_ANCILLARY = socket.CMSG_SPACE(MAX_FDS * 4)


class ChannelClosedError(Exception):
    """The process at the other end is gone."""


class Channel:
    """One end. `run` must run for what is posted to be sent."""

    def __init__(self, sock: socket.socket, known: Sequence[type]) -> None:
        sock.setblocking(False)
        self._socket = trio.socket.from_stdlib_socket(sock)
        self._known: Mapping[str, type] = {kind.__name__: kind for kind in known}
        self._waiting: dict[Hashable, tuple[object, tuple[int, ...]]] = {}
        self._wake = trio.Event()
        self._buffer = bytearray()
        self._fds: list[int] = []

    @classmethod
    def from_fd(cls, fd: int, known: Sequence[type]) -> Self:
        """The end that a child was started with."""
        os.set_inheritable(fd, False)
        return cls(socket.socket(fileno=fd), known)

    def post(self, message: object, *, key: Hashable = None, fds: Sequence[int] = ()) -> None:
        """Send when possible. `key` defaults to the message itself: then it is never replaced by another."""
        self._waiting[id(message) if key is None else key] = (message, tuple(fds))
        self._wake.set()

    @property
    def backlog(self) -> int:
        """Messages that wait to be sent."""
        return len(self._waiting)

    async def run(self) -> None:
        """Send what is posted, for ever. Returns when the other end is gone."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._waiting:
                message, fds = self._waiting.pop(next(iter(self._waiting)))
                try:
                    await self._send(encode(message), fds)
                except (BrokenPipeError, ConnectionResetError):
                    return

    async def _send(self, body: bytes, fds: Sequence[int]) -> None:
        data = memoryview(_LENGTH.pack(len(body), len(fds)) + body)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = await self._socket.sendmsg([data], rights)
        while sent < len(data):
            sent += await self._socket.send(data[sent:])

    async def receive(self) -> tuple[Any, list[int]]:
        """The next message and the file descriptors that came with it, which are now the caller's.

        Raises ChannelClosedError at end-of-file; WireError on bytes that this program cannot have written.
        """
        length, fd_count = _LENGTH.unpack(await self._exactly(_LENGTH.size))
        if length > _FRAME_LIMIT:
            raise WireError(f"a frame of {length} bytes")
        message = decode(await self._exactly(length), self._known)
        fds, self._fds = self._fds[:fd_count], self._fds[fd_count:]
        return message, fds

    async def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            try:
                data, ancillary, _, _ = await self._socket.recvmsg(65536, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
            except ConnectionResetError:
                raise ChannelClosedError from None
            if not data:
                raise ChannelClosedError
            self._buffer += data
            self._take_fds(ancillary)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _take_fds(self, ancillary: Sequence[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
                self._fds += fds

    def close(self) -> None:
        """Close this end; the other sees end-of-file."""
        self._socket.close()
