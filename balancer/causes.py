"""Why a connection or a request ended otherwise than well: one name for each, for counters and access logs. Pure.

What is wrong with the bytes of a message has finer reasons of its own (`balancer.http1.errors.Reason`).
"""

from __future__ import annotations

from enum import Enum


class Cause(Enum):
    """The name in lower case is what a log and a metric say; the value is the same in words.

    The order is that of the counters in shared memory: node and workers run the same program, so it may change.
    """

    HEADER_TIMEOUT = "the request head did not come in time"
    BODY_TIMEOUT = "no byte of the request body came for too long"
    BODY_TOO_SLOW = "the request body came too slowly"
    SEND_TIMEOUT = "the client took no byte for too long"
    CLIENT_TOO_SLOW = "the client read too slowly"
    REQUEST_TIMEOUT = "the request took too long in all"
    CONNECT_FAILED = "no server could be reached"
    NO_SERVER = "no server is available"
    NO_ROUTE = "no route leads anywhere from here"
    RESPONSE_TIMEOUT = "the server did not answer in time"
    RESPONSE_IDLE = "no byte of the response body came for too long"
    RESPONSE_CUT = "the server ended the connection early"
    RESPONSE_INVALID = "the server sent an invalid response"
    SERVER_LEFT = "connections to the server were closed, because it is no longer in use"
    TUNNEL_IDLE = "nobody said a word for too long"
    REQUEST_INVALID = "the request was malformed"
    REQUEST_TOO_LARGE = "the request was too large"
    DENIED = "the client's address is not allowed here"
    TOO_MANY_CONNECTIONS = "the client has too many connections open"
    HANDSHAKE_FAILED = "the client and we did not agree on TLS"
    HANDSHAKE_TIMEOUT = "the TLS handshake did not come to its end in time"
    CONNECTING_TOO_FAST = "the client opens connections too fast"
    PROXY_HEADER_INVALID = "no valid PROXY header came in time"
    TOO_MANY_REQUESTS = "too many requests in too short a time"
    TOO_MANY_FLOWS = "more flows than max_connections allows"
    SERVER_UNREACHABLE = "no server could be reached by a datagram"
    UPSTREAM_BUSY = "the kernel took no datagram for the server"
    CLIENT_BUSY = "the kernel took no datagram for the client"
    QUEUE_FULL = "datagrams came faster than they were taken"
    HTTP2_INVALID = "the client broke a rule of HTTP/2"
    HTTP2_FLOOD = "the client sent too much over HTTP/2 that leads to nothing"
    QUEUE_TIMEOUT = "all servers were busy for too long"
    QUEUE_TOO_LONG = "all servers are busy, and too many wait for them"

    @property
    def label(self) -> str:
        """`body_too_slow`."""
        return self.name.lower()

    @property
    def slot(self) -> int:
        """Where it is counted in a record of causes."""
        return _SLOTS[self]


_SLOTS = {cause: slot for slot, cause in enumerate(Cause)}
