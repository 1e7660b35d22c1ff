"""Webhooks against real servers on loopback: that answer, refuse, hang, break, and whose certificate nobody trusts."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from hapair.notifications.webhook import Hook, PostFailed, post

Handler = Callable[[trio.abc.Stream, list[bytes]], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def answer(data: bytes, stream: trio.abc.Stream, seen: list[bytes]) -> None:
    """Takes a whole request, then says this."""
    request = b""
    while b"\r\n\r\n" not in request or not request.endswith(b"}"):
        request += await stream.receive_some(65_536)
    seen.append(request)
    await stream.send_all(data)


async def hang(stream: trio.abc.Stream, seen: list[bytes]) -> None:
    await trio.sleep_forever()


async def hang_up(stream: trio.abc.Stream, seen: list[bytes]) -> None:
    await stream.receive_some(10)


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """The port, and the requests that came."""
    seen: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        over: trio.abc.Stream = stream
        if context is not None:
            over = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            await handler(over, seen)
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(over)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1], seen
        nursery.cancel_scope.cancel()


def hook(port: int, scheme: str = "http", *, timeout_s: float = 10.0, **options: object) -> Hook:
    return Hook(url=f"{scheme}://localhost:{port}/in?token=x", timeout_s=timeout_s, **options)  # type: ignore[arg-type]


async def failure(one: Hook) -> tuple[str, bool]:
    with pytest.raises(PostFailed) as caught:
        await post(one, b"{}", {})
    assert "token" not in str(caught.value)
    return str(caught.value), caught.value.for_good


async def test_a_request_as_it_is_sent() -> None:
    async with serving(partial(answer, OK)) as (port, seen):
        assert await post(hook(port), b'{"a":1}', {"X-Hapair-Event": "role"}) == 200
    assert seen == [
        (
            f"POST /in?token=x HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: hapair/0.1.0\r\n"
            "Content-Type: application/json\r\nContent-Length: 7\r\nConnection: close\r\nX-Hapair-Event: role\r\n\r\n"
            '{"a":1}'
        ).encode()
    ]


@pytest.mark.parametrize(
    ("said", "words", "for_good"),
    [
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "it answered 500", False),
        (b"HTTP/1.1 429 Later\r\n\r\n", "it answered 429", False),
        (b"HTTP/1.1 404 Gone\r\n\r\n", "it answered 404", False),
        (b"HTTP/1.1 400 Never\r\n\r\n", "it answered 400", True),
        (b"HTTP/1.1 302 There\r\nLocation: http://elsewhere/\r\n\r\n", "it answered 302", False),
        (b"HTTP/1.1 2", "it hung up without an answer", False),
    ],
)
async def test_what_is_no_success(said: bytes, words: str, for_good: bool) -> None:
    async with serving(partial(answer, said)) as (port, _):
        assert await failure(hook(port)) == (words, for_good)


async def test_an_interim_answer_is_passed_over() -> None:
    async with serving(partial(answer, b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 Done\r\n\r\n")) as (port, _):
        assert await post(hook(port), b"{}", {}) == 204


async def test_an_answer_that_is_no_http() -> None:
    async with serving(partial(answer, b"220 smtp.example.org ESMTP\r\n\r\n")) as (port, _):
        words, for_good = await failure(hook(port))
        assert words.startswith("its answer is no HTTP: ")
        assert not for_good


async def test_one_that_hangs_or_hangs_up() -> None:
    async with serving(hang) as (port, _):
        assert await failure(hook(port, timeout_s=0.1)) == ("no answer in 0.1 s", False)
    async with serving(hang_up) as (port, _):
        words, _ = await failure(hook(port))
        assert words in ("it hung up without an answer", "the connection broke")


async def test_nobody_listens() -> None:
    async with serving(hang) as (port, _):
        pass
    words, _ = await failure(hook(port))
    assert "refused" in words.lower()


def server_context(authority: Any, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue(name).both)
    return context


async def test_tls_is_verified(authority: Any, tmp_path: Path) -> None:
    context, ca_file = server_context(authority, "localhost"), str(authority.itself.certificate)
    async with serving(partial(answer, OK), context) as (port, seen):
        words, for_good = await failure(hook(port, "https"))
        assert words.startswith("its certificate is not trusted: ")
        assert not for_good
        assert await post(hook(port, "https", ca_file=ca_file), b"{}", {}) == 200
        assert await post(hook(port, "https", verify=False), b"{}", {}) == 200
        assert len(seen) == 2
        missing = tmp_path / "nobody.pem"
        assert await failure(hook(port, "https", ca_file=str(missing))) == (
            f"no certificates can be read from {missing}",
            False,
        )


async def test_a_certificate_of_another_name(authority: Any) -> None:
    context, ca_file = server_context(authority, "elsewhere.example"), str(authority.itself.certificate)
    async with serving(partial(answer, OK), context) as (port, seen):
        words, _ = await failure(hook(port, "https", ca_file=ca_file))
        assert words.startswith("its certificate is not trusted: Hostname mismatch")
    assert seen == []
