"""The same traffic through HAProxy with `option httplog` and through us: the same lines but for times, sizes, ports."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.programs import balanced, free_port, running

pytestmark = pytest.mark.slow

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUESTS = {
    "well": b"GET /well?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "escaped": b'GET /"well HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    "junk": b"GET /junk HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "closed": b"POST /closed HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "cut": b"GET /cut HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "chunk": b"GET /chunk HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "bad": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
}
CONFIG = """
global
    log 127.0.0.1:{log} local0
    maxconn 100
defaults
    mode http
    log global
    option httplog
    option dontlognull
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend main
    bind 127.0.0.1:{port}
    default_backend pool
backend pool
    server server1 127.0.0.1:{server}
"""


@pytest.fixture
def origin() -> Iterator[int]:
    """A server that answers as the path says."""
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
                if b"/junk" in head:
                    connection.sendall(b"junk\r\n\r\n")
                elif b"/chunk" in head:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n")
                elif b"/cut" in head:
                    connection.sendall(OK.replace(b"Length: 2", b"Length: 9"))
                elif b"/closed" not in head:
                    connection.sendall(OK)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


@pytest.fixture
def syslog() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving:
        receiving.bind(("127.0.0.1", 0))
        receiving.settimeout(5)
        yield receiving


def line_of(port: int, request: bytes, syslog: socket.socket) -> str:
    """What is logged of one request, without the parts that may differ; and without how many connections are open, for
    HAProxy may yet have to close the one before.

    Another one goes before: when it is answered, nothing is left of who looked whether the program listens.
    """
    _logged(port, REQUESTS["well"], syslog)
    return _logged(port, request, syslog)


def _logged(port: int, request: bytes, syslog: socket.socket) -> str:
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(request)
        while client.recv(65536):
            pass
    while True:
        line = syslog.recv(65536).decode()
        if (" main" in line and "<BADREQ>" in line) or "HTTP/1.1" in line:
            break
    prefix = re.compile(r"^<134>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} (?:haproxy|hapair)\[[0-9]+\]: 127\.0\.0\.1:[0-9]+ ")
    assert prefix.match(line), line
    rest = re.sub(r"^\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8}\.[0-9]{3}\] ", "", prefix.sub("", line)).rstrip("\n")
    where, server, timers, status, _size, *others = rest.split(" ", 5)
    others = [re.sub(r"(?<= )[0-9]+/[0-9]+(?=/[0-9]+/[0-9]+/[0-9]+ )", "n/n", one) for one in others]
    reached = "/".join("-1" if timer == "-1" else "n" for timer in timers.split("/"))
    return " ".join((where, server, reached, status, *others))


@pytest.mark.parametrize("request_of", REQUESTS)
def test_the_lines_are_the_same(
    program: Callable[[str], str], tmp_path: Path, origin: int, syslog: socket.socket, request_of: str
) -> None:
    haproxy, port, log = program("haproxy"), free_port(), syslog.getsockname()[1]
    config = tmp_path / "haproxy.cfg"
    config.write_text(CONFIG.format(log=log, port=port, server=origin))
    with running([haproxy, "-db", "-f", str(config)], port, log=tmp_path / "haproxy.log"):
        theirs = line_of(port, REQUESTS[request_of], syslog)
    options = ("--access-log", "httplog", "--log-to", f"syslog:127.0.0.1:{log}")
    with balanced(origin, tmp_path, *options) as ours_at:
        ours = line_of(ours_at, REQUESTS[request_of], syslog)
    assert ours == theirs
