"""One exchange with a server to see whether it works: a TCP connection, or an HTTP request on one."""

import errno
import os
import socket
from dataclasses import dataclass

import trio

from balancer.config import Check
from balancer.config_checks import parse_status_ranges
from balancer.fieldtypes import Endpoint
from balancer.http1.errors import BadMessage
from balancer.http1.response import parse_response

LARGEST_HEAD_BYTES = 16_384
"""All that is read of a response, interim responses included."""

# Failures of this machine, not of the server: they must not take servers out of service.
_OWN_FAILURES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_SWITCHING_PROTOCOLS = 101


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`ok` is None where the probe could not be made at all, which says nothing about the server."""

    ok: bool | None
    reason: str
    """For people: `HTTP 503`, `connection refused`, `timeout after 2s while connecting`."""
    duration_s: float


class _UnhealthyError(Exception):
    """The server did not do what the check asks; the text is the reason."""


async def probe(check: Check, server: Endpoint, preamble: bytes = b"") -> ProbeResult:
    """Probe once, sending `preamble` first; within the timeout, and raises nothing that a server could cause."""
    endpoint = server if check.port is None else Endpoint(server.host, check.port)
    started_at = trio.current_time()
    ok, reason = await _verdict(check, endpoint, preamble)
    return ProbeResult(ok, reason, trio.current_time() - started_at)


async def _verdict(check: Check, endpoint: Endpoint, preamble: bytes) -> tuple[bool | None, str]:
    waiting_for = "connecting"
    try:
        with trio.fail_after(check.timeout_s):
            with trio.socket.socket(socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET) as connection:
                await connection.connect((endpoint.host, endpoint.port))
                await _send_all(connection, preamble)
                if check.http is None:
                    return True, "connected"
                waiting_for = "waiting for the response"
                return True, await _request(connection, check.http, check.host or str(endpoint), check.expect)
    except trio.TooSlowError:
        return False, f"timeout after {_span(check.timeout_s)} while {waiting_for}"
    except _UnhealthyError as failure:
        return False, str(failure)
    except OSError as error:
        return None if error.errno in _OWN_FAILURES else False, _words(error)


async def _request(connection: trio.socket.SocketType, request: str, host: str, expect: str) -> str:
    lines = (f"{request} HTTP/1.1", f"Host: {host}", "User-Agent: hapair", "Accept: */*", "Connection: close", "", "")
    head = "\r\n".join(lines).encode("ascii")
    await _send_all(connection, head)
    status = await _final_status(connection, request.partition(" ")[0].encode("ascii"))
    if not any(status in passing for passing in parse_status_ranges(expect)):
        raise _UnhealthyError(f"HTTP {status}")
    return f"HTTP {status}"


async def _send_all(connection: trio.socket.SocketType, data: bytes) -> None:
    while data:
        data = data[await connection.send(data) :]


async def _final_status(connection: trio.socket.SocketType, method: bytes) -> int:
    """The status of the first response that is not an interim one, once its head is there whole and valid."""
    buffer = b""
    allowance = LARGEST_HEAD_BYTES
    while True:
        if not allowance:
            raise _UnhealthyError(f"response head larger than {LARGEST_HEAD_BYTES // 1024} KiB")
        received = await connection.recv(allowance)
        if not received:
            raise _UnhealthyError("connection closed before the end of a response head")
        allowance -= len(received)
        buffer += received
        status, buffer = _read_heads(buffer, method) if b"\n" in received else (0, buffer)
        if status:
            return status


def _read_heads(buffer: bytes, method: bytes) -> tuple[int, bytes]:
    """The final status, or 0 and what must be added to before there can be one."""
    try:
        while head := parse_response(buffer, method):
            buffer = buffer[head.size :]
            if head.status >= 200 or head.status == _SWITCHING_PROTOCOLS:
                return head.status, buffer
    except BadMessage as error:
        raise _UnhealthyError(f"not an HTTP response: {error}") from None
    return 0, buffer


def _words(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _span(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"
