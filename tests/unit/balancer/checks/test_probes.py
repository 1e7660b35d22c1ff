"""Probes of real servers on loopback; where only time passes, the clock jumps."""

import errno
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from balancer.checks.probes import ProbeResult, probe
from balancer.config import Check
from balancer.config_checks import CheckStep, CheckTls
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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of 127.0.0.1 and `server.test`, signed by itself."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=server.test",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:server.test",
        ],
        cwd=folder, check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    return folder


async def serve_tls(nursery: trio.Nursery, certificate: Path, answer: Answer) -> Endpoint:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    async def handle(stream: trio.SocketStream) -> None:
        secured = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            await secured.do_handshake()
            await answer(secured)  # type: ignore[arg-type]
        except trio.BrokenResourceError:
            pass  # a client that does not trust us
        await stream.aclose()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, handle, listeners)
    return Endpoint("127.0.0.1", listeners[0].socket.getsockname()[1])


@pytest.mark.parametrize(
    ("tls", "ok", "reason", "code"),
    [
        ({"ca": True}, True, "TLSv1.3", "L6OK"),
        ({"ca": True, "name": "server.test"}, True, "TLSv1.3", "L6OK"),
        ({"verify": False, "name": "other.test"}, True, "TLSv1.3", "L6OK"),
        ({"ca": True, "name": "other.test"}, False, "TLS: Hostname mismatch", "L6RSP"),
        ({}, False, "TLS: self-signed certificate", "L6RSP"),
    ],
)
async def test_a_handshake(
    nursery: trio.Nursery, certificate: Path, tls: dict[str, Any], ok: bool, reason: str, code: str
) -> None:
    endpoint = await serve_tls(nursery, certificate, silence)
    ca_file = str(certificate / "cert.pem") if tls.pop("ca", False) else None

    result = await probe(Check(tls=CheckTls(ca_file=ca_file, **tls)), endpoint)

    assert (result.ok, result.reason.startswith(reason), result.code) == (ok, True, code), result


async def test_http_over_tls(nursery: trio.Nursery, certificate: Path) -> None:
    endpoint = await serve_tls(nursery, certificate, answering(b"HTTP/1.1 204 No Content\r\n\r\n"))

    result = await probe(Check(http="GET /", tls=CheckTls(ca_file=str(certificate / "cert.pem"))), endpoint)

    assert (result.ok, result.reason, result.code) == (True, "HTTP 204", "L7OK")


async def test_tls_with_one_who_does_not_speak_it(nursery: trio.Nursery) -> None:
    result = await probe(Check(tls=CheckTls()), await serve(nursery, answering(b"220 hello\r\n")))

    assert (result.ok, result.code) == (False, "L6RSP")
    assert result.reason.startswith("TLS: ")


async def test_a_conversation_is_had(nursery: trio.Nursery) -> None:
    steps = (CheckStep(send="PING\r\n", expect="+PONG"),)

    assert await result_of(nursery, Check(tcp="connect", steps=steps), b"+PO", b"NG\r\n") == (True, "1 step done")
    assert await result_of(nursery, Check(redis="ping"), b"-ERR no\r\n") == (False, "ERR no")


async def test_words_of_haproxy(nursery: trio.Nursery) -> None:
    ok = await probe(HTTP, await serve(nursery, answering(b"HTTP/1.1 200 OK\r\n\r\n")))
    status = await probe(HTTP, await serve(nursery, answering(b"HTTP/1.1 500 No\r\n\r\n")))
    nonsense = await probe(HTTP, await serve(nursery, answering(b"nonsense\r\n\r\n")))
    connected = await probe(Check(), await serve(nursery, silence))

    assert [one.code for one in (ok, status, nonsense, connected)] == ["L7OK", "L7STS", "L7RSP", "L4OK"]


class Datagrams:
    """A UDP server that answers everything with the same, or with nothing."""

    def __init__(self, nursery: trio.Nursery, answer: bytes | None) -> None:
        self.heard: list[bytes] = []
        self._answer = answer
        self._sock = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._nursery = nursery

    async def start(self) -> Endpoint:
        await self._sock.bind(("127.0.0.1", 0))
        self._nursery.start_soon(self._run)
        return Endpoint("127.0.0.1", self._sock.getsockname()[1])

    async def _run(self) -> None:
        with self._sock:
            while True:
                data, client = await self._sock.recvfrom(65_535)
                self.heard.append(data)
                if self._answer is not None:
                    answer = data[:2] + self._answer if self._answer.startswith(b"\x81") else self._answer
                    await self._sock.sendto(answer, client)


@pytest.mark.parametrize(
    ("step", "answer", "ok", "reason"),
    [
        (CheckStep(send="ping", expect="pong"), b"a pong", True, "answered"),
        (CheckStep(send="ping", expect="pong"), b"no", False, "not the answer that is expected"),
        (CheckStep(send="ping", expect="pong"), None, False, "timeout after 2s while waiting for the answer"),
        (CheckStep(send="ping"), None, True, "nobody refused"),
        (CheckStep(send="ping"), b"x", True, "answered"),
    ],
)
async def test_a_datagram(
    nursery: trio.Nursery, autojump_clock: MockClock, step: CheckStep, answer: bytes | None, ok: bool, reason: str
) -> None:
    server = Datagrams(nursery, answer)
    result = await probe(Check(udp=step), await server.start())

    assert (result.ok, result.reason) == (ok, reason)
    assert server.heard == [b"ping"]


async def test_a_port_where_nobody_takes_datagrams() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        endpoint = Endpoint("127.0.0.1", sock.getsockname()[1])
    result = await probe(Check(udp=CheckStep(send="ping")), endpoint)

    assert (result.ok, result.reason) == (False, "connection refused")


async def test_dns(nursery: trio.Nursery) -> None:
    yes = Datagrams(nursery, b"\x81\x80\0\0\0\1\0\0\0\0")
    no = Datagrams(nursery, b"\x81\x83\0\0\0\0\0\0\0\0")
    results = [await probe(Check(dns="example.org"), await server.start()) for server in (yes, no)]

    assert [(one.ok, one.reason) for one in results] == [(True, "1 record"), (False, "NXDOMAIN")]
    assert yes.heard[0][2:] == b"\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\1\0\1"


@dataclass
class Ended:
    ok: bool
    how: str
    output: str


async def test_a_script() -> None:
    ran = []

    async def run(command: Sequence[str], environment: Mapping[str, str], limit_s: float) -> Ended:
        ran.append((tuple(command), dict(environment), limit_s))
        return Ended(len(ran) == 1, f"exited with status {len(ran) - 1}", "all is well" if len(ran) == 1 else "")

    check = Check(script=("/bin/look", "hard"), timeout_s=3.0, port=99)
    results = [await probe(check, Endpoint("192.0.2.1", 80), run_program=run, names=("web", "web1")) for _ in range(2)]

    assert [(one.ok, one.reason, one.code) for one in results] == [
        (True, "exited with status 0: all is well", "PROCOK"),
        (False, "exited with status 1", "PROCERR"),
    ]
    environment = {
        "HAPAIR_POOL": "web", "HAPAIR_SERVER": "web1", "HAPAIR_ADDRESS": "192.0.2.1", "HAPAIR_PORT": "99",
    }  # fmt: skip
    assert ran[0] == (("/bin/look", "hard"), environment, 3.0)
    assert (await probe(check, Endpoint("192.0.2.1", 80))).ok is None


async def test_a_server_at_a_unix_socket(nursery: trio.Nursery, tmp_path: Path) -> None:
    endpoint = Endpoint.parse(f"unix:{tmp_path}/x.sock")
    assert (await probe(HTTP, endpoint)).ok is False
    heard = []

    async def answer(stream: trio.SocketStream) -> None:
        heard.append(bytes(await stream.receive_some(65536)))
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(endpoint.host)
        listening.listen()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening.dup()))
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        result = await probe(HTTP, endpoint)
    assert (result.ok, result.reason) == (True, "HTTP 200")
    assert b"\r\nHost: localhost\r\n" in heard[0]


async def test_another_port_of_a_server_at_a_unix_socket_is_on_this_machine(nursery: trio.Nursery) -> None:
    there = await serve(nursery, answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    assert (await probe(Check(http="GET /", port=there.port), Endpoint("/run/none.sock", 0))).ok
