"""What is sent on: heads with fields taken out and put in (RFC 9110 section 7.6), other bytes as received. Pure."""

from balancer.http1.forwarded import Origin, fields_for
from balancer.http1.framing import CHUNKED
from balancer.http1.request import RequestHead
from balancer.http1.response import ResponseHead

PSEUDONYM = b"hapair"
"""Our name in Via (RFC 9110 section 7.6.3)."""


class RequestForwarder:
    """Writes the heads of one client connection's requests anew."""

    __slots__ = ("_client_1_0", "_client_1_1", "_default_host", "_host_is_told")

    def __init__(self, origin: Origin, default_host: bytes, further: bytes = b"", via: bytes = b"1.1") -> None:
        """`default_host` stands in where an HTTP/1.0 client named none; `further` are field lines of ours as well.

        `via` is the version that clients speak who do not speak HTTP/1.0.
        """
        fields = fields_for(origin) + further
        self._host_is_told = bool(origin.host)
        if not self._host_is_told:
            fields = b"\r\n" + fields
        self._client_1_0 = fields + b"Via: 1.0 " + PSEUDONYM + b"\r\n\r\n"
        self._client_1_1 = fields + b"Via: " + via + b" " + PSEUDONYM + b"\r\n\r\n"
        self._default_host = default_host

    def forward(self, head: RequestHead) -> bytes:
        """The head to send to a server."""
        client = self._client_1_1 if head.minor else self._client_1_0
        passing = head.passing + self._added(head) if head.adds else head.passing
        if self._host_is_told:
            return passing + client
        return passing + b"X-Forwarded-Host: " + (head.host or self._default_host) + client

    def _added(self, head: RequestHead) -> bytes:
        lines = []
        options = []
        if head.says_host:
            lines.append(b"Host: " + (head.host or self._default_host))
        if head.body == CHUNKED:
            lines.append(b"Transfer-Encoding: chunked")
        elif head.says_length:
            lines.append(b"Content-Length: %d" % head.body)
        if head.expect_continue and head.body:
            lines.append(b"Expect: 100-continue")
        if head.max_forwards:
            lines.append(b"Max-Forwards: %d" % (head.max_forwards - 1))
        if head.upgrade:
            lines.append(b"Upgrade: " + head.upgrade)
            options.append(b"Upgrade")
        if head.trailers:
            lines.append(b"TE: trailers")
            options.append(b"TE")
        if options:
            lines.append(b"Connection: " + b", ".join(options))
        return b"".join(line + b"\r\n" for line in lines)


def forward_response(head: ResponseHead, *, minor: int, chunked: bool, keep_alive: bool) -> bytes:
    """The head to send to a client that speaks HTTP/1.`minor`; `chunked` is how the body will be framed."""
    if keep_alive and minor and not chunked and not head.adds:
        return head.passing
    return head.passing[:-2] + _added(head, minor=minor, chunked=chunked, keep_alive=keep_alive) + b"\r\n"


def _added(head: ResponseHead, *, minor: int, chunked: bool, keep_alive: bool) -> bytes:
    lines = []
    if head.length is not None:
        lines.append(b"Content-Length: %d" % head.length)
    if chunked:
        lines.append(b"Transfer-Encoding: chunked")
    if head.upgrade:
        lines.append(b"Upgrade: %b\r\nConnection: Upgrade" % head.upgrade)
    elif head.status >= 200 and not keep_alive:
        lines.append(b"Connection: close")
    elif head.status >= 200 and not minor:
        lines.append(b"Connection: keep-alive")
    return b"".join(line + b"\r\n" for line in lines)
