"""Probes of real servers on loopback; where only time passes, the clock jumps."""

import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from balancer.checks.probes import ProbeResult, probe
from balancer.config import Check
from balancer.fieldtypes import Endpoint

Answer = Callable[[trio.SocketStream], Awaitable[None]]
HTTP = Check(http="GET /healthz")


async def serve(nursery: trio.Nursery, answer: Answer, host: str = "127.0.0.1") -> Endpoint:
    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await answer(stream)

    listeners = await trio.open_tcp_listeners(0, host=host)
    nursery.start_soon(trio.serve_listeners, handle, listeners)
    return Endpoint(host, listeners[0].socket.getsockname()[1])


def answering(*pieces: bytes) -> Answer:
    """Reads the request and answers with these pieces of bytes."""

    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        for piece in pieces:
            await stream.send_all(piece)
            await trio.lowlevel.checkpoint()

    return answer


async def silence(stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def result_of(nursery: trio.Nursery, check: Check, *pieces: bytes) -> tuple[bool | None, str]:
    result = await probe(check, await serve(nursery, answering(*pieces)))
    return result.ok, result.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_tcp_passes_where_something_listens(nursery: trio.Nursery, host: str) -> None:
    result = await probe(Check(), await serve(nursery, silence, host))

    assert (result.ok, result.reason) == (True, "connected")
    assert 0 < result.duration_s < 2


@pytest.mark.parametrize("check", [Check(), HTTP])
async def test_nothing_listens(check: Check) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        result = await probe(check, Endpoint("127.0.0.1", bound.getsockname()[1]))

    assert (result.ok, result.reason) == (False, "connection refused")


async def test_a_server_that_does_not_accept(autojump_clock: MockClock) -> None:
    """A listening socket whose queue is full leaves a SYN unanswered."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        first.connect(address)
        second.setblocking(False)
        assert second.connect_ex(address) == errno.EINPROGRESS
        result = await probe(Check(), Endpoint("127.0.0.1", address[1]))

    assert result == ProbeResult(False, "timeout after 2s while connecting", 2.0)


async def test_another_port_than_the_servers_own(nursery: trio.Nursery) -> None:
    endpoint = await serve(nursery, silence)

    result = await probe(Check(port=endpoint.port), Endpoint("127.0.0.1", 1))

    assert result.ok


async def test_http_asks_what_the_check_says(nursery: trio.Nursery) -> None:
    asked: list[bytes | bytearray] = []

    async def answer(stream: trio.SocketStream) -> None:
        asked.append(await stream.receive_some(65536))
        await stream.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")

    endpoint = await serve(nursery, answer)
    await probe(Check(http="HEAD /up?x=1", host="www.example.org"), endpoint)
    await probe(Check(http="GET /"), endpoint)

    assert asked == [
        b"HEAD /up?x=1 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: hapair\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: hapair\r\nAccept: */*\r\n"
        b"Connection: close\r\n\r\n" % endpoint.port,
    ]


@pytest.mark.parametrize(
    ("expect", "status", "ok"),
    [
        ("200-399", 200, True),
        ("200-399", 399, True),
        ("200-399", 404, False),
        ("200-399", 503, False),
        ("200,204", 201, False),
        ("401", 401, True),
        ("101", 101, True),
    ],
)
async def test_http_passes_on_the_expected_status(nursery: trio.Nursery, expect: str, status: int, ok: bool) -> None:
    response = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status

    assert await result_of(nursery, Check(http="GET /", expect=expect), response) == (ok, f"HTTP {status}")


async def test_http_response_in_single_bytes(nursery: trio.Nursery) -> None:
    response = b"HTTP/1.0 200 OK\r\nServer: slow\r\n\r\nhello"

    assert await result_of(nursery, HTTP, *(response[i : i + 1] for i in range(len(response)))) == (True, "HTTP 200")


async def test_interim_responses_are_passed_over(nursery: trio.Nursery) -> None:
    pieces = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 503 No\r\n", b"\r\n"

    assert await result_of(nursery, HTTP, *pieces) == (False, "HTTP 503")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"220 mail.example.org ESMTP\r\n", "malformed status line"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "malformed status line"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 200 OK\n\n", "line not ended by CR LF"),
        (b"HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n", "malformed header name"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length values differ"),
    ],
)
async def test_what_is_not_an_http_response(nursery: trio.Nursery, response: bytes, reason: str) -> None:
    assert await result_of(nursery, HTTP, response) == (False, f"not an HTTP response: {reason}")


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nServer: x\r\n"])
async def test_a_response_that_ends_too_early(nursery: trio.Nursery, response: bytes) -> None:
    expected = (False, "connection closed before the end of a response head")

    assert await result_of(nursery, HTTP, response) == expected


@pytest.mark.parametrize(
    "endless", [b"HTTP/1.1 200 OK\r\n" + b"X-Pad: y\r\n" * 10_000, b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000]
)
async def test_no_more_is_read_than_a_head_may_be(nursery: trio.Nursery, endless: bytes) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        try:
            await stream.send_all(endless)
        except trio.BrokenResourceError:
            return

    result = await probe(HTTP, await serve(nursery, answer))

    assert (result.ok, result.reason) == (False, "response head larger than 16 KiB")


@pytest.mark.parametrize(("timeout_s", "words"), [(2.0, "2s"), (0.25, "250ms"), (1.5, "1.5s")])
async def test_a_server_that_says_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock, timeout_s: float, words: str
) -> None:
    result = await probe(Check(http="GET /", timeout_s=timeout_s), await serve(nursery, silence))

    assert result == ProbeResult(False, f"timeout after {words} while waiting for the response", timeout_s)


async def test_the_timeout_is_for_the_whole_exchange(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def drip(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        for byte in b"HTTP/1.1 200 OK\r\n":
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.5)
        await trio.sleep_forever()

    result = await probe(HTTP, await serve(nursery, drip))

    assert (result.ok, result.duration_s) == (False, 2.0)


async def test_a_connection_that_is_reset(nursery: trio.Nursery) -> None:
    async def reset(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    result = await probe(HTTP, await serve(nursery, reset))

    assert (result.ok, result.reason) == (False, "connection reset by peer")


async def test_a_failure_of_this_machine_says_nothing_about_the_server() -> None:
    class NoDescriptorsLeft(trio.abc.SocketFactory):
        def socket(self, *_: Any, **__: Any) -> Any:
            raise OSError(errno.EMFILE, "Too many open files")

    trio.socket.set_custom_socket_factory(NoDescriptorsLeft())

    result = await probe(Check(), Endpoint("127.0.0.1", 1))

    assert (result.ok, result.reason) == (None, "too many open files")


async def test_what_a_server_is_sent_first(nursery: trio.Nursery) -> None:
    received = bytearray()

    async def answer(stream: trio.SocketStream) -> None:
        async for data in stream:
            received.extend(data)
            if received.endswith(b"\r\n\r\n"):
                await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    result = await probe(HTTP, await serve(nursery, answer), b"PROXY UNKNOWN\r\n")
    assert result.ok
    assert received.startswith(b"PROXY UNKNOWN\r\nGET /healthz HTTP/1.1\r\n")
