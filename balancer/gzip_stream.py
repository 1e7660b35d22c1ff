"""gzip piece by piece, in constant memory, without holding the reactor up."""

from __future__ import annotations

import zlib

from balancer.config_compression import Compression
from balancer.http1.compression import Chooser
from balancer.reactor import Reactor

BLOCK_BYTES = 16_384
"""What is compressed at once: 0.2 ms or so. The others have their turn in between."""

_GZIP = 16 + zlib.MAX_WBITS


class Compressor:
    """What one frontend or pool compresses, and how much of it is under way in this worker."""

    __slots__ = ("at_once", "chooser", "level", "running")

    def __init__(self, config: Compression) -> None:
        self.chooser = Chooser(config)
        self.level = config.level
        self.at_once = config.at_once
        self.running = 0

    @property
    def has_room(self) -> bool:
        return self.running < self.at_once


class GzipStream:
    """One body. `close` it whatever happens."""

    __slots__ = ("_compressor", "_object", "_reactor", "bytes_in", "bytes_out", "finished")

    def __init__(self, reactor: Reactor, compressor: Compressor) -> None:
        self._reactor = reactor
        self._compressor = compressor
        self._object = zlib.compressobj(compressor.level, zlib.DEFLATED, _GZIP)
        compressor.running += 1
        self.bytes_in = self.bytes_out = 0
        self.finished = False

    async def feed(self, data: bytes, *, flush: bool) -> bytes:
        """What `data` becomes; with `flush` nothing is held back: the client can read all of it."""
        pieces = []
        for start in range(0, len(data), BLOCK_BYTES):
            pieces.append(self._object.compress(data[start : start + BLOCK_BYTES]))
            if self._reactor.overdue():
                await self._reactor.pause()
        if flush and data:
            pieces.append(self._object.flush(zlib.Z_SYNC_FLUSH))
        made = b"".join(pieces)
        self.bytes_in += len(data)
        self.bytes_out += len(made)
        return made

    def finish(self) -> bytes:
        """The end of it."""
        made = self._object.flush(zlib.Z_FINISH)
        self.bytes_out += len(made)
        self.finished = True
        return made

    def close(self) -> None:
        """It is over. Its memory goes at once, whoever still refers to it."""
        del self._object
        self._compressor.running -= 1
