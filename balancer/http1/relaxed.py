"""Request heads whose lines end with LF alone, for frontends that take them (RFC 9112 section 2.2 allows it). Pure.

Such a head is judged as if its lines had ended with CR LF, and goes on so: whoever reads it next sees but one way.
Nothing else is taken more easily, and bodies, chunks and trailers not at all.
"""

import re

_BARE = re.compile(rb"(?<!\r)\n")


def mended(buffer: bytes, limit: int) -> tuple[bytes, int]:
    """The bytes of a head with CR LF at the end of each line, and how many bytes of `buffer` it was.

    While it is incomplete that number is 0, and the bytes are what is known of it. No more than `limit` bytes and one
    are looked at.
    """
    text = _BARE.sub(b"\r\n", buffer[: limit + 1])
    size = text.find(b"\r\n\r\n", 2) + 4
    if not 4 <= size <= limit:
        return text, 0
    head = text[:size]
    rest = buffer.split(b"\n", head.count(b"\n"))[-1]
    return head, len(buffer) - len(rest)
