"""The same requests through HAProxy and through us, with a cookie that names servers, and with servers that are away:
what the log says of them.
"""

import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balancer.config import CookieSettings
from balancer.persistence.tokens import Tokens
from tests.peers.programs import ROOT, free_port, running

pytestmark = pytest.mark.slow

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%b\r\nok"
THEIRS = """
global
    log 127.0.0.1:{log} local0
    maxconn 100
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option redispatch
    retries 2
    timeout connect 1s
    timeout client 9s
    timeout server 9s
frontend main
    bind 127.0.0.1:{port}
    default_backend pool
backend pool
    {cookie}
    server server1 127.0.0.1:{one} cookie one
    {second}
"""
OURS = """
pair: {{nodes: {{here: 127.0.0.1}}}}
frontends:
  main: {{listen: ["127.0.0.1:{port}"], pool: pool, access_log: {{format: httplog, to: "syslog:127.0.0.1:{log}"}}}}
pools:
  pool: {{{persistence} retries: 2, timeouts: {{connect: 1s}}, servers: {{server1: "127.0.0.1:{one}"{second}}}}}
"""
INSERT = ("cookie H insert indirect nocache", "cookie: H")
KINDS = {
    "insert": INSERT,
    "preserve": ("cookie H insert indirect nocache preserve", "cookie: {name: H, preserve: true}"),
    "post-only": ("cookie H insert indirect nocache postonly", "cookie: {name: H, post_only: true}"),
    "rewrite": ("cookie H rewrite", "cookie: {name: H, mode: rewrite}"),
    "prefix": ("cookie H prefix", "cookie: {name: H, mode: prefix}"),
}
Ask = Callable[[str, str, bytes, bytes], str]


@pytest.fixture
def origin() -> Iterator[int]:
    """A server that sets the cookie H where the path says so."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                head = connection.recv(65536)
                if head:
                    connection.sendall(OK % (b"Set-Cookie: H=own\r\n" if b" /sets " in head else b""))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def logged(port: int, path: bytes, cookie: bytes, syslog: socket.socket) -> str:
    """From the pool on, without times and sizes."""
    line = b"Cookie: H=%b\r\n" % cookie if cookie else b""
    with socket.create_connection(("127.0.0.1", port), 9) as client:
        client.sendall(b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b\r\n" % (path, line))
        while client.recv(65536):
            pass
    while "HTTP/1.1" not in (line_of := syslog.recv(65536).decode()):
        pass
    found = re.search(r"main (pool/\S+) \S+ ([0-9]+) [0-9]+ - - (\S+) [0-9/]+/(\+?[0-9]+) ", line_of)
    assert found, line_of
    return " ".join(found.groups())


def both(
    program: Callable[[str], str], tmp_path: Path, kind: str, path: bytes, cookies: tuple[bytes, bytes],
    servers: tuple[int, int | None],
) -> tuple[str, str]:  # fmt: skip
    """What HAProxy logs of a request, and what we do."""
    one, two = servers
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(9)
        log, port, ours_at = syslog.getsockname()[1], free_port(), free_port()
        theirs_say, ours_say = KINDS.get(kind, ("", ""))
        config = tmp_path / "haproxy.cfg"
        second = "" if two is None else f"server server2 127.0.0.1:{two} cookie two"
        config.write_text(THEIRS.format(log=log, port=port, cookie=theirs_say, one=one, second=second))
        with running([program("haproxy"), "-db", "-f", str(config)], port, log=tmp_path / "haproxy.log"):
            theirs = logged(port, path, cookies[0], syslog)
        file = tmp_path / "hapair.yaml"
        persistence = f"persistence: {{{ours_say}}}," if ours_say else ""
        second = "" if two is None else f', server2: "127.0.0.1:{two}"'
        file.write_text(OURS.format(log=log, port=ours_at, persistence=persistence, one=one, second=second))
        worker = [sys.executable, str(ROOT / "tests/peers/worker_of_file.py"), str(file), "here"]
        with running(worker, ours_at, log=tmp_path / "worker.log", env={"PYTHONPATH": str(ROOT)}):
            return theirs, logged(ours_at, path, cookies[1], syslog)


def named(server: int) -> tuple[bytes, bytes]:
    """The cookie that leads to a server."""
    tokens = Tokens(bytes(32), "pool", CookieSettings(name="H"), ("server1", "server2"))
    return (b"one", b"two")[server - 1], tokens.make(f"server{server}", 0)


NONSENSE = (b"nonsense", b"nonsense")
NONE = (b"", b"")


@pytest.mark.parametrize(("kind", "path", "cookies", "code"), [
    ("insert", b"/", NONE, "--NI"),
    ("insert", b"/", NONSENSE, "--II"),
    ("insert", b"/", named(1), "--VN"),
    ("insert", b"/sets", named(1), "--VD"),
    ("insert", b"/sets", NONE, "--NI"),
    ("preserve", b"/sets", NONE, "--NP"),
    ("post-only", b"/", NONE, "--NN"),
    ("rewrite", b"/sets", NONE, "--NR"),
    ("rewrite", b"/", named(1), "--VN"),
    ("prefix", b"/sets", NONE, "--NR"),
    ("prefix", b"/", tuple(one + b"~v" for one in named(1)), "--VN"),
    ("prefix", b"/", NONSENSE, "--IN"),
    ("none", b"/", NONE, "----"),
])  # fmt: skip
def test_a_cookie_has_the_same_code(
    program: Callable[[str], str], tmp_path: Path, origin: int, kind: str, path: bytes, cookies: tuple[bytes, bytes],
    code: str,
) -> None:  # fmt: skip
    theirs, ours = both(program, tmp_path, kind, path, cookies, (origin, None))
    assert (theirs, ours) == (f"pool/server1 200 {code} 0",) * 2


def test_a_server_that_the_cookie_names_and_nobody_reaches(
    program: Callable[[str], str], tmp_path: Path, origin: int
) -> None:
    """HAProxy tries the same one again first, we another at once."""
    theirs, ours = both(program, tmp_path, "insert", b"/", named(2), (origin, free_port()))
    assert theirs == "pool/server1 200 --DI +2"
    assert ours == "pool/server1 200 --DI +1"


def test_the_only_server_is_tried_as_often(program: Callable[[str], str], tmp_path: Path) -> None:
    theirs, ours = both(program, tmp_path, "insert", b"/", NONE, (free_port(), None))
    assert (theirs, ours) == ("pool/server1 503 SCNN 2",) * 2
