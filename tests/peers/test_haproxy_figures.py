"""The same traffic through HAProxy and through us: the same figures, before and after they are cleared."""

import contextlib
import csv
import io
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from balancer.config import BalancerConfig, Compression, Frontend, Pool, Route, Server
from balancer.config_routes import Redirect
from balancer.drivers import run_with_trio_as_guest
from balancer.engine import Engine
from balancer.fieldtypes import Endpoint
from balancer.listener import open_listeners
from balancer.reactor import Reactor
from balancer.slots import Slots
from hapair.admin.haproxy_rows import Row, rows_of
from hapair.admin.rates import Rates
from hapair.baseline import baseline_of, reckoned
from hapair.snapshot import FrontendView, NodeSnapshot, PoolView, ServerView
from tests.peers.programs import free_port, running
from tests.unit.hapair.admin.sample import NODE

pytestmark = pytest.mark.slow

TEXT = b"hello world, " * 1000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
CONFIG = """
global
    maxconn 400
    nbthread 1
    stats socket {folder}/haproxy.sock level admin
defaults
    mode http
    maxconn 100
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend web
    bind 127.0.0.1:{web}
    compression algo gzip
    compression type text/plain
    http-request redirect location /elsewhere if {{ path /redirect }}
    default_backend web
frontend raw
    mode tcp
    bind 127.0.0.1:{raw}
    default_backend raw
backend web
    server server1 127.0.0.1:{server}
backend raw
    mode tcp
    server server1 127.0.0.1:{server}
"""
SLOW_S = 0.3
# What both count exactly; and what takes about as long.
EXACT: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("web", "FRONTEND"): ("comp_in", "comp_rsp", "comp_byp", "intercepted", "eint", "slim", "hrsp_2xx", "hrsp_3xx"),
    ("web", "server1"): ("cli_abrt", "srv_abrt", "eint", "srv_icur", "idle_conn_cur", "safe_conn_cur", "used_conn_cur"),
    ("web", "BACKEND"): ("cli_abrt", "srv_abrt", "eint", "slim", "comp_in", "comp_rsp", "comp_byp"),
    ("raw", "FRONTEND"): ("eint", "slim", "comp_in", "comp_out", "comp_rsp", "intercepted", "stot"),
    ("raw", "server1"): ("cli_abrt", "srv_abrt", "eint", "srv_icur", "rtime", "rtime_max", "stot"),
    ("raw", "BACKEND"): ("cli_abrt", "srv_abrt", "slim", "comp_in", "rtime_max", "stot"),
}
LONG = {("web", "server1"): ("rtime_max", "ttime_max"), ("web", "BACKEND"): ("rtime_max", "ttime_max"),
        ("raw", "server1"): ("ttime_max",), ("raw", "BACKEND"): ("ttime_max",)}  # fmt: skip
CLEARED = (
    "bin", "bout", "stot", "hrsp_2xx", "hrsp_3xx", "cli_abrt", "srv_abrt", "comp_in", "comp_out", "comp_rsp",
    "intercepted", "econ", "eresp", "ereq", "dreq", "connect", "reuse", "lbtot", "wretr", "rtime_max", "ttime_max",
    "ctime_max", "qtime_max", "req_tot", "conn_tot", "lastsess", "ctime", "rtime", "ttime", "qtime", "smax", "chkdown",
)  # fmt: skip


class Origin:
    """A server that answers as the path says, on as many connections as there are."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listening.accept()[0],), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            while head := connection.recv(65536):
                path = head.split(b" ")[1]
                if path == b"/slow":
                    time.sleep(SLOW_S)
                if path == b"/cut":
                    connection.sendall(HEAD % (len(TEXT) + 900_000) + TEXT)
                    return
                if path == b"/endless":
                    connection.sendall(HEAD % 1_000_000_000 + bytes(200_000))
                    while True:
                        connection.sendall(bytes(200_000))
                connection.sendall(HEAD % len(TEXT) + TEXT)
                if b"connection: close" in head.lower():
                    return

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def get(port: int, path: str, *lines: str) -> None:
    """One request on a connection of its own, and its answer to the end."""
    with socket.create_connection(("127.0.0.1", port), 5) as client, contextlib.suppress(ConnectionResetError):
        client.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: a", "Connection: close", *lines, "", ""]).encode())
        while client.recv(65536):
            pass


def leave(port: int) -> None:
    """Reset a connection in the middle of a download."""
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        client.recv(65536)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def play(web: int, raw: int) -> None:
    """All of it one after the other: what happens does not depend on who is faster."""
    for path, lines in (("/a", ()), ("/zipped", ("Accept-Encoding: gzip",)), ("/slow", ()), ("/redirect", ())):
        get(web, path, *lines)
    get(web, "/cut")
    leave(web)
    time.sleep(0.3)  # both have seen the client leave, and closed
    get(web, "/last")
    get(raw, "/slow")
    leave(raw)
    time.sleep(0.5)  # as long as it takes to tell what is kept


class Ours:
    """An engine as a worker has it, in a thread of its own, and its rows as a node makes them."""

    def __init__(self, origin: int, web: int, raw: int) -> None:
        server = {"server1": Server(address=Endpoint("127.0.0.1", origin))}
        redirect = Route(path=("/redirect",), redirect=Redirect(to="/elsewhere"))
        self.config = BalancerConfig(
            frontends={
                "web": Frontend(
                    listen=(Endpoint("127.0.0.1", web),), mode="http", pool="web", routes=(redirect,),
                    compression=Compression(), max_connections=100,
                ),
                "raw": Frontend(
                    listen=(Endpoint("127.0.0.1", raw),), mode="tcp", pool="raw", max_connections=100
                ),
            },
            pools={"web": Pool(servers=server), "raw": Pool(servers=server)},
        )  # fmt: skip
        self.slots = Slots.create(self.config, 1)
        self.engine: Engine | None = None
        self._listeners = open_listeners(self.config.listeners())
        self._orders: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        reactor = Reactor()
        run_with_trio_as_guest(reactor, self._work, reactor)

    async def _work(self, reactor: Reactor) -> None:
        import trio

        engine = Engine(reactor, self.slots, 0)
        engine.apply(self.config, self._listeners)
        self.engine = engine
        while "stop" not in self._orders:
            engine.heartbeat()
            if "clear" in self._orders:
                self._orders.remove("clear")
                engine.forget_maxima(totals=True)
            await trio.sleep(0.05)
        engine.close()

    def order(self, what: str) -> None:
        self._orders.append(what)
        if what == "stop":
            self._thread.join(10)
            for one in self._listeners.values():
                one.close()
            return
        until = time.monotonic() + 5
        while what in self._orders and time.monotonic() < until:
            time.sleep(0.02)

    def node(self) -> NodeSnapshot:
        counts = self.slots.server_counts
        pools = tuple(
            PoolView(
                name=name, policy="round_robin", mode="http" if name == "web" else "tcp", expects=10,
                queue=self.slots.queue_counts(name),
                servers=(
                    ServerView(
                        name="server1", address="127.0.0.1:1", weight=1, backup=False, health="no check", up=True,
                        reason="", since_s=None, counts=counts(name, "server1"),
                        queue=self.slots.queue_counts(name, "server1"),
                    ),
                ),
            )
            for name in ("raw", "web")
        )  # fmt: skip
        frontends = tuple(
            FrontendView(
                name=name, mode=frontend.mode, listen=(), active=True, max_connections=100,
                counts=self.slots.frontend_counts(name),
                causes={cause.label: count for cause, count in self.slots.cause_counts(name).items()},
            )
            for name, frontend in self.config.frontends.items()
        )  # fmt: skip
        return NodeSnapshot(**{
            **{name: getattr(NODE, name) for name in NODE.__slots__}, "frontends": frontends, "pools": pools
        })  # fmt: skip


Rows = Mapping[tuple[str, str], Mapping[str, str]]


def written(rows: list[Row]) -> Rows:
    return {
        (str(row["pxname"]), str(row["svname"])): {
            name: "" if value is None else str(value) for name, value in row.items()
        }
        for row in rows
    }


def asked(path: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        asking.sendall(f"{command}\n".encode())
        return b"".join(iter(lambda: asking.recv(65536), b"")).decode()


def stat_of(path: Path) -> Rows:
    text = asked(path, "show stat").removeprefix("# ")
    return {(row["pxname"], row["svname"]): row for row in csv.DictReader(io.StringIO(text))}


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.close()


def theirs_of(haproxy: str, folder: Path, origin: int) -> tuple[Rows, Rows]:
    """After the traffic, and after `clear counters all`."""
    web, raw = free_port(), free_port()
    file = folder / "haproxy.cfg"
    file.write_text(CONFIG.format(folder=folder, web=web, raw=raw, server=origin))
    with running([haproxy, "-db", "-f", str(file)], raw, log=folder / "haproxy.log"):
        asked(folder / "haproxy.sock", "clear counters all")  # of whoever looked whether it listens
        play(web, raw)
        before = stat_of(folder / "haproxy.sock")
        assert asked(folder / "haproxy.sock", "clear counters all") == "\n"
        return before, stat_of(folder / "haproxy.sock")


def ours_of(origin: int) -> tuple[Rows, Rows]:
    web, raw = free_port(), free_port()
    ours = Ours(origin, web, raw)
    try:
        play(web, raw)
        counted, rates = ours.node(), Rates()
        before = written(rows_of(counted, rates, 1.0))
        ours.order("clear")
        after = written(rows_of(reckoned(ours.node(), baseline_of(counted)), rates, 1.0))
        assert ours.engine is not None
        assert ours.engine.reactor.bugs.count == 0
        return before, after
    finally:
        ours.order("stop")


def test_the_figures_are_the_same(program: Callable[[str], str], tmp_path: Path, origin: Origin) -> None:
    haproxy = program("haproxy")
    version = subprocess.run([haproxy, "-v"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    theirs, theirs_cleared = theirs_of(haproxy, tmp_path, origin.port)
    ours, ours_cleared = ours_of(origin.port)
    assert set(ours) == set(theirs), version
    differ = {
        (row, name): (ours[row].get(name, ""), theirs[row][name])
        for row, names in EXACT.items()
        for name in names
        if ours[row].get(name, "") != theirs[row][name]
    }
    assert differ == {}, version
    for row, names in LONG.items():
        for name in names:
            mine, other = int(ours[row][name]), int(theirs[row][name])
            assert SLOW_S * 1000 <= min(mine, other) <= max(mine, other) < SLOW_S * 1000 + 2000, (row, name)
    empty = {(row, name) for row in theirs for name in theirs[row] if theirs[row][name] and not ours[row].get(name, "")}
    assert {name for _, name in empty if not name.startswith(("ssl_", "h1_", "h2_"))} <= {"-"}, version
    cleared = {
        (row, name): (ours_cleared[row].get(name, ""), theirs_cleared[row][name])
        for row in theirs
        for name in CLEARED
        if ours_cleared[row].get(name, "") != theirs_cleared[row][name]
    }
    assert cleared == {}, version
