"""The admin server over real sockets on loopback."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from hapair.admin import passwords
from hapair.admin.logins import Logins
from hapair.admin.router import Request, Response, Route, Router, text
from hapair.admin.server import AdminServer
from hapair.config.admin import AdminUser
from hapair.events.feed import acting

USERS = {
    "anna": AdminUser(password=str(passwords.make("correct horse", log2_n=10, r=1, p=1))),
    "ben": AdminUser(password=str(passwords.make("battery staple", log2_n=10, r=1, p=1)), level="viewer"),
}


async def echo(request: Request) -> Response:
    return text(200, f"{request.method} {request.options} {request.body.decode()} {request.caller} {request.is_admin}")


async def stream(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    return Response(body=pieces())


ROUTER = Router(
    [
        Route(path="/open", handler=echo, level=None),
        Route(path="/echo", handler=echo, methods=("GET", "HEAD", "POST")),
        Route(path="/admin", handler=echo, level="admin", methods=("POST",)),
        Route(path="/stream", handler=stream),
    ]
)


class Served:
    def __init__(self, server: AdminServer, port: int) -> None:
        self.server = server
        self.port = port

    async def say(self, data: bytes) -> bytes:
        """Everything that comes back until the server closes."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as client:
            await client.send_all(data)
            received = b""
            async for piece in client:
                received += piece
        return received

    async def get(self, line: str, *fields: str, body: str = "", host: str = "127.0.0.1") -> tuple[int, str]:
        """Status and body of one request."""
        lines = [f"{line} HTTP/1.1", f"Host: {host}", "Connection: close", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        answer = await self.say("\r\n".join((*lines, "", body)).encode())
        head, _, rest = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), rest.decode()


@asynccontextmanager
async def serving(users: dict[str, AdminUser]) -> AsyncIterator[Served]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = AdminServer(ROUTER, Logins(users))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, [listener])
        yield Served(server, listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()


def basic(name: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


ANNA, BEN = basic("anna", "correct horse"), basic("ben", "battery staple")


async def test_who_may_do_what() -> None:
    async with serving(USERS) as served:
        assert await served.get("GET /open") == (200, "GET    False")
        assert (await served.get("GET /echo"))[0] == 401
        assert await served.get("GET /echo?a;b", BEN) == (200, "GET ?a;b  ben False")
        assert await served.get("POST /echo", ANNA, body="x=1") == (200, "POST  x=1 anna True")
        assert await served.get("POST /admin", BEN) == (403, "this is for those of level admin\n")
        assert await served.get("POST /admin", ANNA) == (200, "POST   anna True")
        assert (await served.get("GET /admin", ANNA))[0] == 405
        assert (await served.get("GET /nothing", ANNA))[0] == 404


async def test_whoever_is_asked_for_a_password_is_told_how() -> None:
    async with serving(USERS) as served:
        answer = await served.say(b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b'\r\nWWW-Authenticate: Basic realm="hapair", charset="UTF-8"\r\n' in answer


async def test_wrong_passwords_are_limited() -> None:
    async with serving(USERS) as served:
        statuses = [(await served.get("GET /echo", basic("anna", f"guess {n}")))[0] for n in range(6)]
        assert statuses == [401, 401, 401, 401, 401, 429]
        assert served.server.refused["logins"] == 1


async def test_a_post_from_a_page_of_another_origin_is_refused() -> None:
    async with serving(USERS) as served:
        assert (await served.get("POST /echo", ANNA, "Origin: http://evil.example"))[0] == 403
        assert (await served.get("POST /echo", ANNA, "Origin: http://127.0.0.1"))[0] == 200
        assert served.server.refused["origin"] == 1


async def test_without_users_a_name_that_others_resolve_is_refused() -> None:
    async with serving({}) as served:
        assert (await served.get("GET /echo", host="evil.example"))[0] == 403
        assert await served.get("GET /echo", host="localhost") == (200, "GET   this machine False")
        assert (await served.get("POST /admin", host="localhost"))[0] == 403


async def test_a_connection_is_kept_and_requests_may_come_at_once() -> None:
    async with serving({}) as served:
        one = b"GET /open HTTP/1.1\r\nHost: a\r\n\r\n"
        answer = await served.say(one * 2 + b"HEAD /open HTTP/1.0\r\n\r\n")
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert answer.count(b"GET    False") == 2
        assert answer.endswith(b"\r\n\r\n")


async def test_a_body_that_comes_as_it_comes() -> None:
    async with serving({}) as served:
        assert await served.get("GET /stream", host="localhost") == (200, "one two")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /open HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
async def test_hostile_input_is_refused_and_counted(data: bytes, status: int) -> None:
    async with serving({}) as served:
        answer = await served.say(data)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert sum(served.server.refused.values()) == 1


async def test_a_client_that_waits_for_leave_to_send_its_body_gets_it() -> None:
    async with serving({}) as served, await trio.open_tcp_stream("127.0.0.1", served.port) as client:
        await client.send_all(
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert await client.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send_all(b"a=b")
        answer = b"".join([piece async for piece in client])
        assert answer.endswith(b"POST  a=b this machine False")


async def test_a_request_that_does_not_come_to_its_end_is_ended(autojump_clock: MockClock) -> None:
    async with serving({}) as served:
        assert (await served.say(b"GET /open HTTP/1.1\r\n")).startswith(b"HTTP/1.1 408 ")
        assert (await served.say(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")).startswith(
            b"HTTP/1.1 408 "
        )


async def test_a_connection_that_says_nothing_is_closed(autojump_clock: MockClock) -> None:
    async with serving({}) as served:
        assert await served.say(b"") == b""


async def test_more_connections_than_there_may_be_are_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hapair.admin.server.MOST_CONNECTIONS", 1)
    async with serving({}) as served, await trio.open_tcp_stream("127.0.0.1", served.port) as first:
        await first.send_all(b"GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await first.receive_some()).startswith(b"HTTP/1.1 200 OK")
        async with await trio.open_tcp_stream("127.0.0.1", served.port) as second:
            assert await second.receive_some() == b""
        assert served.server.refused["connections"] == 1


async def test_events_know_who_asked_in_the_task_that_serves_them() -> None:
    seen: list[str] = []

    async def note(request: Request) -> Response:
        seen.append(acting.get())
        return text(200, "noted")

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = AdminServer(Router([Route(path="/note", handler=note, level="admin")]), Logins(USERS))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, [listener])
        served = Served(server, listener.socket.getsockname()[1])
        assert await served.get("GET /note", basic("anna", "correct horse")) == (200, "noted")
        nursery.cancel_scope.cancel()
    assert (seen, acting.get()) == (["anna from 127.0.0.1"], "")
