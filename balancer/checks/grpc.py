"""gRPC health checking (grpc.health.v1) in as little HTTP/2 as it takes (RFC 9113). Pure.

The request needs no compression: its headers are literals (RFC 7541 section 6.2.2). Of the response nothing is decoded
but the message, so no table of headers is kept: a server that answers without one does not serve.
"""

import struct

from balancer.checks.exchanges import Exchange, Passed, Unhealthy, more

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_ACK, _END_STREAM, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_LARGEST_FRAME = 16_384
_STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


def grpc(service: str, authority: str, *, tls: bool) -> Exchange:
    """Check(service): SERVING passes."""
    received = message = b""
    unsent = opening(service, authority, tls=tls)
    while True:
        while not _is_whole(received):
            received = yield from more(received, unsent)
            unsent = b""
        kind, flags, stream, payload, received = _first_frame(received)
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            unsent += frame(kind, _ACK, 0, payload if kind == _PING else b"")
        elif kind == _GOAWAY or (stream == 1 and kind == _RST_STREAM):
            raise Unhealthy("the server refused the call")
        elif stream == 1 and kind == _DATA:
            message += payload[1 : len(payload) - payload[0]] if flags & _PADDED and payload else payload
            if len(message) >= 5 and len(message) >= 5 + int.from_bytes(message[1:5], "big"):
                return _judge(message)
        if stream == 1 and kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            raise Unhealthy("the call failed: no gRPC health service, or it does not know the service", "L7STS")


def opening(service: str, authority: str, *, tls: bool) -> bytes:
    """All that is sent at once: preface, settings, the call and its message."""
    fields = (
        (":method", "POST"),
        (":scheme", "https" if tls else "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "hapair"),
    )
    block = b"".join(b"\0" + _string(name.encode()) + _string(value.encode()) for name, value in fields)
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    data = b"\0" + struct.pack(">I", len(message)) + message
    return (
        _PREFACE
        + frame(_SETTINGS, 0, 0, b"")
        + frame(_HEADERS, _END_HEADERS, 1, block)
        + frame(_DATA, _END_STREAM, 1, data)
    )


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame (RFC 9113 section 4.1)."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _is_whole(received: bytes) -> bool:
    """Raises Unhealthy for what no HTTP/2 server sends."""
    if len(received) < 9:
        return False
    size = int.from_bytes(received[:3], "big")
    if size > _LARGEST_FRAME:
        raise Unhealthy("not an HTTP/2 server")
    return len(received) >= 9 + size


def _first_frame(received: bytes) -> tuple[int, int, int, bytes, bytes]:
    """Kind, flags, stream and payload of the first frame, and what follows it."""
    end = 9 + int.from_bytes(received[:3], "big")
    kind, flags, stream = struct.unpack(">BBI", received[3:9])
    return kind, flags, stream & 0x7FFF_FFFF, received[9:end], received[end:]


def _judge(message: bytes) -> Passed:
    """A HealthCheckResponse: field 1 is the status."""
    body = message[5:]
    status = body[1] if len(body) >= 2 and body[0] == 0x08 else 0
    if message[0] or status != 1:
        raise Unhealthy("a compressed answer" if message[0] else _STATUSES.get(status, f"status {status}"), "L7STS")
    return Passed("SERVING")


def _string(data: bytes) -> bytes:
    """A literal without Huffman coding (RFC 7541 section 5.2)."""
    if len(data) < 127:
        return bytes([len(data)]) + data
    return b"\x7f" + _varint(len(data) - 127) + data


def _varint(number: int) -> bytes:
    """Seven bits at a time, the lowest first: both Protocol Buffers and RFC 7541 section 5.1 have it so."""
    encoded = b""
    while number >= 128:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])
