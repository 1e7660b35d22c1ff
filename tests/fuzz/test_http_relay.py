"""Whole requests, mutated, through a running worker: the origin hears just what was understood here, and nothing else.

Behind the worker stands a server that writes down what it hears, or another proxy (haproxy, nginx) and then that
server: whatever passes here must mean the same to a second, different reader. A disagreement becomes a file of
tests/golden/http/smuggling/. Seeded; seconds here, HAPAIR_FUZZ_ROUNDS=100000 runs it for long.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balancer.config import HttpLimits
from balancer.http1.request import RequestHead
from tests.fuzz.recording_origin import Heard, RecordingOrigin, recording
from tests.fuzz.test_http_parsers import BAD_SEEDS, BARE_LF, GOOD_SEEDS, LIMITS, bared, mutated, requests_in
from tests.peers.programs import balanced, free_port, running

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("HAPAIR_FUZZ_ROUNDS", "3000")) // 10
SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@contextlib.contextmanager
def haproxy(program: str, origin: int, where: Path) -> Iterator[int]:
    port, config = free_port(), where / "haproxy.cfg"
    config.write_text(
        "defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n retries 0\n"
        f"frontend f\n bind 127.0.0.1:{port}\n default_backend b\nbackend b\n server o 127.0.0.1:{origin}\n"
    )
    with running([program, "-db", "-f", str(config)], port, log=where / "haproxy.log"):
        yield port


@contextlib.contextmanager
def nginx(program: str, origin: int, where: Path) -> Iterator[int]:
    port, config = free_port(), where / "nginx.conf"
    config.write_text(
        f"master_process off; pid {where}/nginx.pid; error_log {where}/nginx.err;\nevents {{}}\n"
        f"http {{ access_log off; client_body_temp_path {where}/body; proxy_temp_path {where}/proxy;\n"
        f"fastcgi_temp_path {where}/f; uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{origin};\n"
        'proxy_http_version 1.1; proxy_set_header Connection ""; } } }\n'
    )
    with running([program, "-c", str(config), "-g", "daemon off;"], port, log=where / "nginx.log"):
        yield port


SECOND = {"haproxy": haproxy, "nginx": nginx}


class Chain:
    """A worker's port and the origin at the other end."""

    def __init__(self, port: int, origin: RecordingOrigin, limits: HttpLimits) -> None:
        self._port = port
        self._origin = origin
        self.limits = limits

    def check(self, data: bytes) -> int:
        """Send `data`, and see that what was understood and answered is what was heard: so many requests."""
        understood = requests_in(data, self.limits)
        marked = answers(self._send(data), understood)
        assert self._send(SENTINEL).startswith(b"HTTP/1.1 200 "), f"no answer after {data!r}"
        *heard, last = self._origin.taken()
        assert last == (b"GET", b"/sentinel", b"")
        expected = [as_heard(*one) for one, came in zip(understood, marked, strict=False) if came]
        assert heard == expected, f"{data!r}"
        assert self._origin.malformed == [], f"{data!r}"
        return len(heard)

    def _send(self, data: bytes) -> bytes:
        received = b""
        with (
            socket.create_connection(("127.0.0.1", self._port), 10) as client,
            contextlib.suppress(ConnectionResetError, BrokenPipeError),
        ):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while more := client.recv(65536):
                received += more
        return received


def as_heard(head: RequestHead, body: bytes) -> Heard:
    return head.method, head.target, body


def answers(received: bytes, understood: list[tuple[RequestHead, bytes]]) -> list[bool]:
    """For each final response in turn: whether it is the origin's."""
    marked = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 1"):
            continue
        lines = dict(line.lower().partition(b": ")[::2] for line in head.split(b"\r\n")[1:])
        to_head = len(marked) < len(understood) and understood[len(marked)][0].method == b"HEAD"
        received = b"" if b"transfer-encoding" in lines else received
        received = received[0 if to_head else int(lines.get(b"content-length", b"0")) :]
        marked.append(b"x-origin" in lines)
    return marked


@pytest.fixture(scope="module", params=["alone", *SECOND, "alone, bare_lf", *(f"{one}, bare_lf" for one in SECOND)])
def chain(
    request: pytest.FixtureRequest, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chain]:
    where = tmp_path_factory.mktemp("relay")
    where.chmod(0o755)
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(recording())
        behind, (second, _, bare_lf) = origin.port, request.param.partition(", ")
        if second != "alone":
            behind = stack.enter_context(SECOND[second](program(second), origin.port, where))
        port = stack.enter_context(balanced(behind, where, *(["--bare-lf"] if bare_lf else [])))
        yield Chain(port, origin, BARE_LF if bare_lf else LIMITS)


def conversation(rng: random.Random, limits: HttpLimits) -> bytes:
    """One to three requests after one another, half of them a little wrong, or with other ends of lines."""
    parts = []
    for _ in range(rng.randint(1, 3)):
        seed = rng.choice(GOOD_SEEDS if rng.random() < 0.8 else BAD_SEEDS)
        if limits.bare_lf and rng.random() < 0.7:
            seed = bared(rng, seed)
        parts.append(mutated(rng, seed) if rng.random() < 0.5 else seed)
    return b"".join(parts)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(3))
def test_the_origin_hears_what_was_understood_and_nothing_else(chain: Chain, seed: int) -> None:
    rng = random.Random(seed)
    heard = [chain.check(conversation(rng, chain.limits)) for _ in range(ROUNDS)]
    assert sum(heard) > ROUNDS / 4  # else nothing was tried
    assert max(heard) > 1


@pytest.mark.parametrize("seed", [*GOOD_SEEDS, *BAD_SEEDS], ids=lambda data: repr(data[:40]))
def test_each_known_case_and_what_follows_it(chain: Chain, seed: bytes) -> None:
    chain.check(seed)
    chain.check(seed + GOOD_SEEDS[1])
    chain.check(GOOD_SEEDS[1] + seed + GOOD_SEEDS[0])
    chain.check(seed.replace(b"\r\n", b"\n") + GOOD_SEEDS[0])
