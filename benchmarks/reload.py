"""Reloads under load: what they cost the clients, and the memory of the node.

A node in a network namespace of its own, with keep-alive connections that request all the time and streams that are
open all the time. Each reload adds or takes away a server, a frontend, a listen address, and changes what stays.

    sudo python -m benchmarks.reload --reloads 1000
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import trio

from hapair.admin.runtime import NotRunningError, follow

INSIDE = "HAPAIR_BENCHMARK_RELOAD"
HTTP, TCP, EXTRA, ORIGIN, ECHO = 8080, 8081, 8082, 9000, 9100
FILES = (
    """\
pair: {{nodes: {{a: 127.0.0.1}}}}
workers: {workers}
frontends:
  web: {{listen: ["127.0.0.1:8080"], pool: web}}
  raw: {{listen: ["127.0.0.1:8081"], pool: raw, mode: tcp}}
pools:
  web:
    check: {{tcp: connect, interval: 500ms}}
    servers: {{one: "127.0.0.1:9000", two: "127.0.0.2:9000"}}
  raw: {{servers: {{one: "127.0.0.1:9100"}}}}
""",
    """\
pair: {{nodes: {{a: 127.0.0.1}}}}
workers: {workers}
frontends:
  web:
    listen: ["127.0.0.1:8080", "127.0.0.1:8082"]
    pool: web
    timeouts: {{header: 7s}}
    limits: {{connections: 1000}}
    response: {{set_headers: {{X-Reloaded: "yes"}}}}
  raw: {{listen: ["127.0.0.1:8081"], pool: raw, mode: tcp}}
  more: {{listen: ["127.0.0.1:8083"], pool: web}}
pools:
  web:
    policy: least_connections
    check: {{tcp: connect, interval: 700ms}}
    servers: {{one: {{address: "127.0.0.1:9000", weight: 3}}, three: "127.0.0.3:9000"}}
  raw: {{servers: {{one: "127.0.0.1:9100", two: "127.0.0.2:9100"}}}}
""",
)


@dataclass(slots=True)
class Seen:
    """What clients and reloads met with."""

    requests: int = 0
    pieces: int = 0
    errors: list[str] = field(default_factory=list)
    reload_ms: list[float] = field(default_factory=list)
    slowest_ms: float = 0.0
    memory_kib: list[int] = field(default_factory=list)
    """Of the node and its workers together, at ten instants."""


async def origin(stream: trio.SocketStream) -> None:
    """Answers every request with the same few bytes."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    try:
        async with stream:
            buffer = b""
            async for data in stream:
                buffer += data
                while b"\r\n\r\n" in buffer:
                    buffer = buffer.partition(b"\r\n\r\n")[2]
                    await stream.send_all(answer)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def echo(stream: trio.SocketStream) -> None:
    try:
        async with stream:
            async for data in stream:
                await stream.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


async def keep_asking(seen: Seen) -> None:
    """One keep-alive connection. Whatever ends it is an error."""
    stream = await trio.open_tcp_stream("127.0.0.1", HTTP)
    while True:
        asked_at = time.monotonic()
        received = b""
        try:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            while not received.endswith(b"hello"):
                data = await stream.receive_some(4096)
                if not data:
                    raise trio.BrokenResourceError("closed")
                received += data
        except trio.BrokenResourceError as error:
            seen.errors.append(f"request: {error.__cause__ or error}")
            stream = await trio.open_tcp_stream("127.0.0.1", HTTP)
            continue
        if not received.startswith(b"HTTP/1.1 200"):
            seen.errors.append(received[:40].decode())
        seen.requests += 1
        seen.slowest_ms = max(seen.slowest_ms, (time.monotonic() - asked_at) * 1000)
        await trio.sleep(0.02)


async def keep_streaming(seen: Seen) -> None:
    """One stream that never ends, of numbered pieces."""
    stream = await trio.open_tcp_stream("127.0.0.1", TCP)
    number = 0
    while True:
        piece = b"%016d" % number
        try:
            await stream.send_all(piece)
            received = b""
            while len(received) < len(piece):
                data = await stream.receive_some(len(piece) - len(received))
                if not data:
                    raise trio.BrokenResourceError("closed")
                received += data
        except trio.BrokenResourceError as error:
            seen.errors.append(f"stream: {error.__cause__ or error}")
            return
        if received != piece:
            seen.errors.append(f"stream: {received!r} for {piece!r}")
        number += 1
        seen.pieces += 1
        await trio.sleep(0.05)


async def ask(folder: Path) -> Any:
    last: Any = {}
    lines: AsyncGenerator[Any, None] = follow(folder / "run", {"command": "reload"})
    async with aclosing(lines):
        async for line in lines:
            last = line
    return last


def memory_kib(pid: int) -> int:
    """What the node and its children alone have."""
    children = [one for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]
    return sum(_private(one) for one in (str(pid), *children))


def _private(pid: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


async def run(*, reloads: int, connections: int, streams: int, workers: int) -> Seen:
    """In a namespace that has a loopback interface and nothing else."""
    seen = Seen()
    folder = Path(tempfile.mkdtemp(prefix="hapair-reload-"))
    path = folder / "hapair.yaml"
    path.write_text(FILES[0].format(workers=workers))
    command = [
        sys.executable,
        "-m",
        "hapair",
        "up",
        "-c",
        str(path),
        "--node",
        "a",
        "--runtime-dir",
        str(folder / "run"),
    ]
    with (folder / "log").open("wb") as log:
        node = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220 - ended below
    try:
        async with trio.open_nursery() as nursery:
            for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
                await nursery.start(partial(trio.serve_tcp, origin, ORIGIN, host=host))
                await nursery.start(partial(trio.serve_tcp, echo, ECHO, host=host))
            await _until_it_serves()
            for _ in range(connections):
                nursery.start_soon(keep_asking, seen)
            for _ in range(streams):
                nursery.start_soon(keep_streaming, seen)
            await trio.sleep(0.5)
            await _reload(seen, folder, path, node.pid, reloads=reloads, workers=workers)
            nursery.cancel_scope.cancel()
    finally:
        node.terminate()
        try:
            node.wait(15)
        except subprocess.TimeoutExpired:
            node.kill()
            node.wait()
        if seen.errors:
            print((folder / "log").read_text()[-3000:], file=sys.stderr)
        shutil.rmtree(folder)
    return seen


async def _until_it_serves() -> None:
    for _ in range(200):
        try:
            await (await trio.open_tcp_stream("127.0.0.1", TCP)).aclose()
        except OSError:
            await trio.sleep(0.1)
        else:
            return
    raise NotRunningError("the node does not serve")


async def _reload(seen: Seen, folder: Path, path: Path, pid: int, *, reloads: int, workers: int) -> None:
    every = max(1, reloads // 10)
    for number in range(reloads):
        path.write_text(FILES[(number + 1) % 2].format(workers=workers))  # noqa: ASYNC240 - a few bytes
        began_at = time.monotonic()
        last = await ask(folder)
        seen.reload_ms.append((time.monotonic() - began_at) * 1000)
        if not last.get("ok"):
            seen.errors.append(f"reload: {last}")
        if (number + 1) % every == 0:
            seen.memory_kib.append(memory_kib(pid))
        await trio.sleep(0.02)


def told(seen: Seen) -> str:
    """A line for each figure."""
    half = seen.reload_ms
    memory = seen.memory_kib
    lines = [
        f"reloads: {len(half)}, median {statistics.median(half):.1f} ms, longest {max(half):.1f} ms",
        f"requests: {seen.requests}, slowest {seen.slowest_ms:.0f} ms; pieces of streams: {seen.pieces}",
        f"errors: {len(seen.errors)}" + "".join(f"\n  {error}" for error in seen.errors[:10]),
        f"memory of node and workers, MiB: {', '.join(f'{one / 1024:.1f}' for one in memory)}",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reload", description=__doc__.splitlines()[0])
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if os.environ.get(INSIDE) is None:
        again = ["unshare", "--net", sys.executable, "-m", "benchmarks.reload", *sys.argv[1:]]
        raise SystemExit(subprocess.call(again, env={**os.environ, INSIDE: "1"}))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    seen = trio.run(
        partial(
            run,
            reloads=options.reloads,
            connections=options.connections,
            streams=options.streams,
            workers=options.workers,
        )
    )
    print(told(seen))
    raise SystemExit(1 if seen.errors else 0)


if __name__ == "__main__":
    main()
