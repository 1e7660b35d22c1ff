"""Chunked bodies: the decoder gives the same for every split, and knows one error."""

import pytest

from balancer.http1.chunked import ChunkedDecoder, encode_chunk
from balancer.http1.errors import BadMessage, Reason

DECODED = {
    "one-chunk": (b"5\r\nhello\r\n0\r\n\r\n", b"hello", b"", b""),
    "two-chunks": (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world", b"", b""),
    "empty": (b"0\r\n\r\n", b"", b"", b""),
    "many-zeros": (b"0000000000000005\r\nhello\r\n0000\r\n\r\n", b"hello", b"", b""),
    "hexadecimal": (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"01234567890123456789", b"", b""),
    "extension": (b'5;a=b;c="d\\"e"\r\nhello\r\n0;x\r\n\r\n', b"hello", b"", b""),
    "data-looks-like-framing": (b"7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", b"\r\n0\r\n\r\n", b"", b""),
    "surplus": (b"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1", b"x", b"", b"GET / HTTP/1.1"),
    "trailer": (b"1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n", b"x", b"X-Sum: 1\r\n", b""),
    "trailer/forbidden": (
        b"1\r\nx\r\n0\r\nContent-Length: 9\r\nX-Sum: 1\r\nTransfer-Encoding: chunked\r\nhost: b\r\n"
        b"Authorization: x\r\nX-Forwarded-For: 1.1.1.1\r\nX_Forwarded_For: 1.1.1.1\r\nSet-Cookie: a\r\n\r\n",
        b"x",
        b"X-Sum: 1\r\n",
        b"",
    ),
}


@pytest.mark.parametrize(("data", "body", "trailer", "surplus"), DECODED.values(), ids=DECODED)
def test_decoded_whatever_the_split(data: bytes, body: bytes, trailer: bytes, surplus: bytes) -> None:
    for first in range(len(data) + 1):
        for second in range(first, len(data) + 1, 3):
            decoder = ChunkedDecoder()
            pieces = [data[:first], data[first:second], data[second:]]
            decoded = b""
            after = b""
            for piece in pieces:
                if decoder.done:
                    after += piece
                else:
                    decoded += decoder.feed(piece)
            assert decoder.done
            assert (decoded, decoder.trailer, decoder.surplus + after) == (body, trailer, surplus)


REFUSED = {
    "size/0x": (b"0x5\r\nhello\r\n", Reason.CHUNK_SIZE),
    "size/plus": (b"+5\r\nhello\r\n", Reason.CHUNK_SIZE),
    "size/underscore": (b"1_0\r\n", Reason.CHUNK_SIZE),
    "size/leading-space": (b" 5\r\nhello\r\n", Reason.CHUNK_SIZE),
    "size/trailing-space": (b"5 \r\nhello\r\n", Reason.CHUNK_SIZE),
    "size/space-before-extension": (b"5 ;a\r\nhello\r\n", Reason.CHUNK_SIZE),
    "size/empty": (b"\r\nhello\r\n", Reason.CHUNK_SIZE),
    "size/only-an-extension": (b";a\r\n", Reason.CHUNK_SIZE),
    "size/bare-lf": (b"5\nhello\r\n", Reason.CHUNK_SIZE),
    "size/not-hexadecimal": (b"5g\r\nhello\r\n", Reason.CHUNK_SIZE),
    "size/8-bit": (b"\xb5\r\nhello\r\n", Reason.CHUNK_SIZE),
    "size/17-digits": (b"00000000000000005\r\nhello\r\n", Reason.CHUNK_SIZE),
    "size/over-2^63": (b"8000000000000000\r\nhello\r\n", Reason.CHUNK_SIZE),
    "extension/bare-lf": (b"5;a\nb\r\nhello\r\n", Reason.CHUNK_SIZE),
    "extension/cr": (b"5;a\rb\r\nhello\r\n", Reason.CHUNK_SIZE),
    "extension/too-long": (b"5;" + b"a" * 5_000 + b"\r\nhello\r\n", Reason.CHUNK_EXTENSIONS),
    "extension/endless": (b"5;" + b"a" * 9_000, Reason.CHUNK_EXTENSIONS),
    "extension/many": (b"1;aaaaaaaaaaaaaaa\r\nx\r\n" * 300, Reason.CHUNK_EXTENSIONS),
    "end/missing": (b"5\r\nhello0\r\n\r\n", Reason.CHUNK_END),
    "end/bare-lf": (b"5\r\nhello\n0\r\n\r\n", Reason.CHUNK_END),
    "end/lf-cr": (b"5\r\nhello\n\r0\r\n\r\n", Reason.CHUNK_END),
    "trailer/no-colon": (b"0\r\nX\r\n\r\n", Reason.TRAILER),
    "trailer/bare-lf": (b"0\r\nX: y\n\r\n", Reason.TRAILER),
    "trailer/fold": (b"0\r\nX: y\r\n z\r\n\r\n", Reason.TRAILER),
    "trailer/bare-lf-at-the-end": (b"0\r\n\n", Reason.TRAILER),
    "trailer/too-large": (b"0\r\n" + b"X: y\r\n" * 2_000 + b"\r\n", Reason.TRAILER_TOO_LARGE),
}


def feed_in_pieces(data: bytes, step: int) -> None:
    decoder = ChunkedDecoder()
    for start in range(0, len(data), step):
        decoder.feed(data[start : start + step])


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_refused_whatever_the_split(data: bytes, reason: Reason, step: int) -> None:
    with pytest.raises(BadMessage) as refused:
        feed_in_pieces(data, step)
    assert refused.value.reason == reason


def test_data_is_given_as_soon_as_it_is_there() -> None:
    decoder = ChunkedDecoder()
    assert decoder.feed(b"a\r\n012") == b"012"
    assert decoder.feed(b"3456") == b"3456"
    assert decoder.feed(b"789\r") == b"789"
    assert not decoder.done
    assert decoder.feed(b"\n0\r\n\r\n") == b""
    assert decoder.done


def test_encoded() -> None:
    assert encode_chunk(b"0123456789abcdef") == b"10\r\n0123456789abcdef\r\n"
