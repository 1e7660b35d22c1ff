"""What one record of the shared slots says, added up over the workers, and the later ones of its slots. Pure.

The first slots, up to TOTAL_US, are named in balancer/slots.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

CONNECT_US_MAX: Final = 22
"""Server: the longest of what CONNECT_US adds up."""
RESPONSE_US_MAX: Final = 23
"""From when there was a connection to the head of a response."""
TOTAL_US_MAX: Final = 24
"""The longest of what TOTAL_US adds up."""
KEPT: Final = 25
"""Server: idle connections that are kept. Told with the worker's heartbeat."""
KEPT_PROVEN: Final = 26
CLIENT_ABORTS: Final = 27
"""Server: exchanges, or connections of mode tcp, that ended because the client left or was late."""
SERVER_ABORTS: Final = 28
"""Server: the same where the server did, after it had begun."""
GZIP_IN: Final = 29
"""Frontend and server: bytes of bodies before they were compressed."""
GZIP_OUT: Final = 30
GZIP_BYPASSED: Final = 31
"""Bytes that would have been compressed, were there not too many at once."""
GZIPPED: Final = 32
"""Responses."""
ANSWERED_HERE: Final = 33
"""Frontend: requests with an answer of the frontend's own that is no refusal."""
INTERNAL_ERRORS: Final = 34
"""Frontend: what ended by a bug of ours."""


@dataclass(frozen=True, slots=True)
class Counts:
    """One record, added up over the workers. Fields in the order of the slots."""

    open: int
    connections: int
    bytes_in: int
    bytes_out: int
    requests: int
    status_1xx: int
    status_2xx: int
    status_3xx: int
    status_4xx: int
    status_5xx: int
    failed: int
    retries: int
    bad_requests: int
    bad_responses: int
    timeouts: int
    resets: int
    datagrams_in: int = 0
    datagrams_out: int = 0
    dropped: int = 0
    latency_us: int = 0
    connect_us: int = 0
    total_us: int = 0
    connect_us_max: int = 0
    response_us_max: int = 0
    total_us_max: int = 0
    kept: int = 0
    """Connections to a server that wait for their next request."""
    kept_proven: int = 0
    """Those of them that have served more than one."""
    client_aborts: int = 0
    server_aborts: int = 0
    gzip_in: int = 0
    gzip_out: int = 0
    gzip_bypassed: int = 0
    gzipped: int = 0
    answered_here: int = 0
    internal_errors: int = 0


COUNTED: Final = len(fields(Counts))
OF_NOW: Final = frozenset((0, KEPT, KEPT_PROVEN))
"""Slots that say how many there are; 0 is how many connections are open."""
MAXIMA: Final = (CONNECT_US_MAX, RESPONSE_US_MAX, TOTAL_US_MAX)
_MAXIMA_NAMES: Final = tuple(fields(Counts)[slot].name for slot in MAXIMA)
_TOTALS_NAMES: Final = tuple(
    one.name for slot, one in enumerate(fields(Counts)) if slot not in MAXIMA and slot not in OF_NOW
)


def added(*counts: Counts) -> Counts:
    """Field by field; of maxima the greatest."""
    totals = {name: sum(getattr(one, name) for one in counts) for name in Counts.__slots__}
    totals |= {name: max((getattr(one, name) for one in counts), default=0) for name in _MAXIMA_NAMES}
    return Counts(**totals)


def counted_since(before: Counts, now_is: Counts) -> Counts:
    """What came since; of maxima, and of what is open or kept, what there is now."""
    return replace(now_is, **{name: max(0, getattr(now_is, name) - getattr(before, name)) for name in _TOTALS_NAMES})
