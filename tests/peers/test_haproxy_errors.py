"""Malformed requests at HAProxy and here: `show errors` of both says where they are wrong, and shows the same bytes."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balancer.config import HttpLimits
from balancer.evidence import position_of
from balancer.http1.errors import BadMessage
from balancer.http1.request import parse_request
from hapair.admin.haproxy_errors import dumped
from tests.peers.programs import free_port, running

pytestmark = pytest.mark.slow

CONFIG = """
global
    nbthread 1
    stats socket {folder}/haproxy.sock level admin
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend web
    bind 127.0.0.1:{port}
    default_backend web
backend web
    server server1 127.0.0.1:9
"""
HEAD = b"GET /a HTTP/1.1\r\nHost: a\r\n"
REQUESTS = {
    "a space in a name": HEAD + b"Bad Header: x\r\n\r\n",
    "a tab, a backslash and 8 bits": HEAD + b"X: a\tb\\c\xe4\r\nBad Header: x\r\n\r\n",
    "no name": HEAD + b": x\r\n\r\n",
    "a method": b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a long line": HEAD + b"X: " + b"y" * 300 + b"\r\nBad Header: x\r\n\r\n",
}


@pytest.fixture(scope="module")
def haproxy(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    found, folder, port = program("haproxy"), tmp_path_factory.mktemp("haproxy"), free_port()
    file = folder / "haproxy.cfg"
    file.write_text(CONFIG.format(folder=folder, port=port))
    with running([found, "-db", "-f", str(file)], port, log=folder / "haproxy.log"):
        yield port, folder / "haproxy.sock"


def asked(path: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        asking.sendall(f"{command}\n".encode())
        return b"".join(iter(lambda: asking.recv(65536), b"")).decode()


@pytest.mark.parametrize("what", REQUESTS)
def test_where_it_is_wrong_and_what_it_was(haproxy: tuple[int, Path], what: str) -> None:
    port, path = haproxy
    request = REQUESTS[what]
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(request)
        assert b" 400 " in client.recv(65536)
    theirs = asked(path, "show errors web request")
    position = re.search(r"error at position (\d+)\n", theirs)
    assert position is not None
    with pytest.raises(BadMessage) as caught:
        parse_request(request, HttpLimits())
    assert position_of(caught.value.reason, request) == int(position[1])
    shown = [line for line in theirs.splitlines() if re.match(r"  \d{5}[ +] ", line)]
    assert list(dumped(request)) == shown
