"""The measuring client against servers on loopback."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from hapair.lab.load import Answer, Client, RequestError, Target, ask, parse_arguments, parse_head
from hapair.lab.records import decode

Handler = Callable[[trio.SocketStream], Awaitable[None]]


def test_a_head_is_status_and_fields_in_lower_case() -> None:
    assert parse_head(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\nX-Server: web1") == (
        "503",
        {"content-length": "5", "x-server": "web1"},
    )


def test_the_command_line_names_the_target() -> None:
    assert parse_arguments(["192.0.2.1", "80", "--streams", "2", "--timeout-s", "1.5"]) == Target(
        "192.0.2.1", 80, streams=2, timeout_s=1.5
    )


async def answers(nursery: trio.Nursery, answer: bytes) -> int:
    """A server that answers the first request of a connection with these bytes and hangs up; its port."""

    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)

    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, serve, [listener])
    port: int = listener.socket.getsockname()[1]
    return port


async def asked(answer: bytes) -> Answer:
    async with trio.open_nursery() as nursery:
        port = await answers(nursery, answer)
        with trio.socket.socket() as sock:
            await sock.connect(("127.0.0.1", port))
            try:
                return await ask(sock, "127.0.0.1", close=True)
            finally:
                nursery.cancel_scope.cancel()
    raise AssertionError("unreachable")


GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Server: web1\r\nX-Node: 192.0.2.11\r\n\r\nok"


async def test_an_answer_names_server_and_node() -> None:
    assert await asked(GOOD) == Answer("web1", "192.0.2.11")


async def test_an_answer_may_be_the_last_of_its_connection() -> None:
    last = GOOD.replace(b"X-Server", b"Connection: close\r\nX-Server")
    assert await asked(last) == Answer("web1", "192.0.2.11", last=True)


async def test_a_stream_does_not_ask_again_on_a_connection_that_was_said_to_end() -> None:
    thrice, connections = trio.Event(), 0

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal connections
        await stream.receive_some()
        connections += 1
        if connections > 3:
            thrice.set()
        await stream.send_all(GOOD.replace(b"X-Server", b"Connection: close\r\nX-Server"))

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        client = Client(Target("127.0.0.1", listener.socket.getsockname()[1], stream_pause_s=0.001))
        nursery.start_soon(client._stream)
        with trio.fail_after(60):
            await thrice.wait()
        nursery.cancel_scope.cancel()
    assert [decode(line).error for line in client._lines[:3]] == [None, None, None]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "status 503", id="status"),
        pytest.param(GOOD[:-1], "closed early", id="short-body"),
        pytest.param(GOOD[:30], "closed early", id="short-head"),
    ],
)
async def test_anything_less_than_a_whole_200_has_failed(answer: bytes, error: str) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(RequestError, match=error)):
        await asked(answer)


async def test_each_probe_has_its_record_in_time_or_not() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")  # accepts, and never answers
    async with listener:
        client = Client(Target("127.0.0.1", listener.socket.getsockname()[1], timeout_s=0.02))
        await client._probe()
    [record] = map(decode, client._lines)
    assert (record.kind, record.error, record.server) == ("probe", "timeout", "")
    assert record.took_s >= 0.02


async def test_a_refused_connection_is_a_failure_with_its_reason() -> None:
    with trio.socket.socket() as taken:
        await taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        client = Client(Target("127.0.0.1", taken.getsockname()[1]))
        await client._probe()
    [record] = map(decode, client._lines)
    assert record.error == "connection refused"
