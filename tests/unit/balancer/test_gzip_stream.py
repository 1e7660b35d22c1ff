"""gzip piece by piece."""

import gzip
import random
import zlib

from balancer.config_compression import Compression
from balancer.gzip_stream import BLOCK_BYTES, Compressor, GzipStream
from balancer.reactor import Reactor
from balancer.testing import run


def test_any_split_gives_the_same_bytes_back(reactor: Reactor) -> None:
    rng = random.Random(17)
    for _ in range(40):
        data = bytes(rng.choice(b"abcdef ") for _ in range(rng.randrange(0, 5 * BLOCK_BYTES, 97)))
        stream = GzipStream(reactor, Compressor(Compression(level=rng.randint(1, 9))))
        made, rest = b"", data
        while rest:
            size = rng.choice((1, 10, BLOCK_BYTES, len(rest)))
            made += run(reactor, stream.feed(rest[:size], flush=rng.random() < 0.5))
            rest = rest[size:]
        made += stream.finish()
        stream.close()
        assert gzip.decompress(made) == data


def test_what_is_flushed_can_be_read_at_once(reactor: Reactor) -> None:
    stream = GzipStream(reactor, Compressor(Compression()))
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for event in (b"data: one\n\n", b"data: two\n\n"):
        assert reader.decompress(run(reactor, stream.feed(event, flush=True))) == event
    stream.close()


def test_what_is_under_way_is_counted(reactor: Reactor) -> None:
    compressor = Compressor(Compression(at_once=1))
    assert compressor.has_room
    stream = GzipStream(reactor, compressor)
    assert not compressor.has_room
    stream.close()
    assert compressor.has_room
