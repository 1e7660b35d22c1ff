"""What a client's frames bring about, as the session tells it. Pure."""

from typing import NamedTuple

from balancer.http2.errors import Reason


class Opened(NamedTuple):
    """A request has begun."""

    stream_id: int
    head: bytes
    """As HTTP/1.1 has it."""
    method: bytes
    chunked: bool
    """Its body is to go on in chunks."""
    ended: bool
    """There is no body."""


class Body(NamedTuple):
    """Data of a request. `ended`: the last, and perhaps none."""

    stream_id: int
    data: bytes
    ended: bool
    trailers: bytes = b""
    """Field lines."""


class Reset(NamedTuple):
    """The stream is gone: by the client (`reason` None), or by us for what the client did."""

    stream_id: int
    code: int
    reason: Reason | None


class Acknowledged(NamedTuple):
    """The answer to our PING."""

    payload: bytes


Event = Opened | Body | Reset | Acknowledged
