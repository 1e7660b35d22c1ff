"""One look at a server to see whether it works: a connection, a conversation, a datagram, a program."""

import errno
import os
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import trio

from balancer.checks import dns
from balancer.checks.exchanges import Exchange, Unhealthy, conversation, mysql, postgres, redis, smtp
from balancer.checks.grpc import grpc
from balancer.checks.http import LARGEST_HEAD_BYTES, http
from balancer.checks.tls import Secrecy, secrecy_of
from balancer.config import Check
from balancer.config_checks import CheckStep
from balancer.fieldtypes import Endpoint
from balancer.sockets import LOCAL, address_of, family_of

SO_MARK = 36
# Failures of this machine, not of the server: they must not take servers out of service.
_OWN_FAILURES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class Ended(Protocol):
    """How a program ended."""

    @property
    def ok(self) -> bool: ...
    @property
    def how(self) -> str: ...
    @property
    def output(self) -> str: ...


RunProgram = Callable[[Sequence[str], Mapping[str, str], float], Awaitable[Ended]]
"""Run a command with these variables in its environment, for so many seconds at most."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`ok` is None where the probe could not be made at all, which says nothing about the server."""

    ok: bool | None
    reason: str
    """For people: `HTTP 503`, `connection refused`, `timeout after 2s while connecting`."""
    duration_s: float
    code: str = field(default="", compare=False)
    """HAProxy's word for it: L4OK, L4TOUT, L4CON, L6OK, L6TOUT, L6RSP, L7OK, L7TOUT, L7RSP, L7STS, PROCOK, ..."""


class _Course:
    """Where a probe is, for who has to say why it ended there."""

    def __init__(self) -> None:
        self.layer = "L4"
        self.waiting_for = "connecting"


async def probe(
    check: Check,
    server: Endpoint,
    preamble: bytes = b"",
    *,
    run_program: RunProgram | None = None,
    names: tuple[str, str] = ("", ""),
    secrecy: Callable[[], Secrecy | None] | None = None,
    mark: int = 0,
) -> ProbeResult:
    """Probe once; takes no longer than the check's timeout and raises nothing that a server could cause.

    `preamble` is sent first, on a connection. `names` of pool and server are for scripts to know. `secrecy` tells
    what pool and check say of TLS together; without it the check's own word holds. `mark` is that of the socket
    (SO_MARK, which asks for CAP_NET_ADMIN), for rules that lead it elsewhere.
    """
    endpoint = target_of(check, server)
    started_at = trio.current_time()
    if check.kind == "script":
        ok, reason, code = await _run(check, endpoint, run_program, names)
    else:
        ok, reason, code = await _verdict(check, endpoint, preamble, secrecy or partial(secrecy_of, check), mark)
    return ProbeResult(ok, reason, trio.current_time() - started_at, code)


def target_of(check: Check, server: Endpoint) -> Endpoint:
    """Where a server is probed."""
    if server.is_unix and check.address is None and check.port is None:
        return server
    return Endpoint(check.address or (LOCAL[0] if server.is_unix else server.host), check.port or server.port)


async def _verdict(
    check: Check, endpoint: Endpoint, preamble: bytes, secrecy: Callable[[], Secrecy | None], mark: int
) -> tuple[bool | None, str, str]:
    course = _Course()
    try:
        with trio.fail_after(check.timeout_s):
            if check.kind in ("udp", "dns"):
                reason = await _datagram(check, endpoint, course, mark)
            else:
                reason = await _connect(check, endpoint, preamble, secrecy(), course, mark)
            return True, reason, f"{course.layer}OK"
    except trio.TooSlowError:
        if course.waiting_for == "a refusal":
            return True, "nobody refused", "L4OK"
        return False, f"timeout after {_span(check.timeout_s)} while {course.waiting_for}", f"{course.layer}TOUT"
    except Unhealthy as failure:
        return False, str(failure), failure.code
    except ssl.SSLError as error:
        return False, _tls_words(error), "L6RSP"
    except OSError as error:
        return None if error.errno in _OWN_FAILURES else False, _words(error), f"{course.layer}CON"


async def _connect(
    check: Check, endpoint: Endpoint, preamble: bytes, secrecy: Secrecy | None, course: _Course, mark: int
) -> str:
    with trio.socket.socket(family_of(endpoint)) as connection:
        if mark:
            connection.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        await connection.connect(address_of(endpoint))
        stream: trio.abc.Stream = trio.SocketStream(connection)
        try:
            reason = "connected"
            if preamble:
                await stream.send_all(preamble)
            if secrecy is not None:
                course.layer, course.waiting_for = "L6", "shaking hands"
                stream, reason = await _shake_hands(secrecy, endpoint, stream)
            exchange = _exchange(check, endpoint, tls=secrecy is not None)
            if exchange is not None:
                course.layer, course.waiting_for = "L7", "waiting for the response"
                reason = await _converse(stream, exchange)
            return reason
        except trio.BrokenResourceError as broken:
            raise _cause_of(broken) from None


async def _shake_hands(secrecy: Secrecy, endpoint: Endpoint, stream: trio.abc.Stream) -> tuple[trio.abc.Stream, str]:
    secured: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(
        stream, secrecy.context, server_hostname=secrecy.name_for(endpoint), https_compatible=True
    )
    await secured.do_handshake()
    return secured, str(secured.version())


def _exchange(check: Check, endpoint: Endpoint, *, tls: bool) -> Exchange | None:
    """What is said once there is a connection; None: nothing."""
    host = check.host or ("localhost" if endpoint.is_unix else str(endpoint))
    match check.kind:
        case "http":
            return http(check, host)
        case "redis":
            return redis()
        case "postgres":
            return postgres(check.user or "")
        case "mysql":
            return mysql(check.user)
        case "smtp":
            return smtp(check.host or socket.gethostname())
        case "grpc":
            return grpc(check.service or "", host, tls=tls)
    return conversation(check.steps) if check.steps else None


async def _converse(stream: trio.abc.Stream, exchange: Exchange) -> str:
    try:
        to_send = next(exchange)
        while True:
            if to_send:
                await stream.send_all(to_send)
            to_send = exchange.send(bytes(await stream.receive_some(LARGEST_HEAD_BYTES)))
    except StopIteration as done:
        if done.value.goodbye:
            await stream.send_all(done.value.goodbye)
        return str(done.value.reason)


async def _datagram(check: Check, endpoint: Endpoint, course: _Course, mark: int) -> str:
    """A connected socket: a port unreachable (ICMP) comes back as connection refused."""
    with trio.socket.socket(family_of(endpoint), socket.SOCK_DGRAM) as sock:
        if mark:
            sock.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
        await sock.connect(address_of(endpoint))
        if check.dns is not None:
            asked = dns.question(check.dns, secrets.randbits(16))
            await sock.send(asked)
            course.layer, course.waiting_for = "L7", "waiting for the answer"
            while not dns.is_answer(answer := await sock.recv(65_535), asked):
                continue
            return dns.judge(answer)
        assert check.udp is not None
        return await _one_datagram(sock, check.udp, course)


async def _one_datagram(sock: trio.socket.SocketType, step: CheckStep, course: _Course) -> str:
    if step.send is not None or step.send_hex is not None:
        await sock.send(step.data)
    pattern = step.pattern
    course.waiting_for = "a refusal" if pattern is None else "waiting for the answer"
    course.layer = "L4" if pattern is None else "L7"
    answer = await sock.recv(65_535)
    if pattern is not None and not pattern.search(answer):
        raise Unhealthy("not the answer that is expected")
    return "answered"


async def _run(
    check: Check, endpoint: Endpoint, run_program: RunProgram | None, names: tuple[str, str]
) -> tuple[bool | None, str, str]:
    if run_program is None:
        return None, "no programs are run here", "PROCERR"
    pool, server = names
    environment = {
        "HAPAIR_POOL": pool,
        "HAPAIR_SERVER": server,
        "HAPAIR_ADDRESS": endpoint.host,
        "HAPAIR_PORT": str(endpoint.port),
    }
    ended = await run_program(check.script, environment, check.timeout_s)
    reason = f"{ended.how}: {ended.output}" if ended.output else ended.how
    return ended.ok, reason, "PROCOK" if ended.ok else "PROCERR"


def _cause_of(broken: trio.BrokenResourceError) -> Exception:
    """What a stream of trio's says of an error, as the error that it was."""
    cause: BaseException | None = broken
    while cause is not None:
        if isinstance(cause, (OSError, ssl.SSLError)):
            return cause
        cause = cause.__cause__ or cause.__context__
    return Unhealthy("connection closed", "L7RSP")


def _tls_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    return f"TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"


def _words(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _span(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"
