"""How long a body is (RFC 9112 section 6). Pure."""

from balancer.http1.errors import BadMessage, Reason
from balancer.http1.grammar import DIGITS

CHUNKED = -1
UNTIL_CLOSE = -2
LONGEST = 2**63 - 1
"""A body is a number of bytes from 0 to LONGEST, or CHUNKED, or (responses only) UNTIL_CLOSE."""

NO_BODY_STATUS = frozenset((204, 304))


def content_length(values: list[bytes]) -> int:
    """One length from all Content-Length values; equal repetitions and lists collapse. Raises BadMessage."""
    numbers = {part.strip(b" \t") for value in values for part in value.split(b",")}
    lengths = {_length(number) for number in numbers}
    if len(lengths) != 1:
        raise BadMessage(Reason.LENGTHS_DIFFER)
    return lengths.pop()


def _length(number: bytes) -> int:
    if not DIGITS.fullmatch(number) or len(number) > 19:
        raise BadMessage(Reason.LENGTH_MALFORMED)
    length = int(number)
    if length > LONGEST:
        raise BadMessage(Reason.LENGTH_MALFORMED)
    return length


def request_body(minor: int, lengths: list[bytes], codings: list[bytes]) -> int:
    """The body of a request with these Content-Length and Transfer-Encoding values. Raises BadMessage."""
    if codings:
        return _chunked(minor, lengths, codings)
    return content_length(lengths) if lengths else 0


def response_body(minor: int, status: int, lengths: list[bytes], codings: list[bytes], *, to_head: bool) -> int:
    """The body of a response. Raises BadMessage, also where the framing is wrong but there is no body."""
    body = UNTIL_CLOSE
    if codings:
        body = _chunked(minor, lengths, codings)
    elif lengths:
        body = content_length(lengths)
    return 0 if to_head or status < 200 or status in NO_BODY_STATUS else body


def _chunked(minor: int, lengths: list[bytes], codings: list[bytes]) -> int:
    if minor == 0:
        raise BadMessage(Reason.CODING_IN_1_0)
    if lengths:
        raise BadMessage(Reason.LENGTH_AND_CODING)
    if len(codings) != 1 or codings[0].lower() != b"chunked":
        raise BadMessage(Reason.CODING_UNKNOWN)
    return CHUNKED
