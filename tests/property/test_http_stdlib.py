"""The standard library's client and server on either side of the relay: what one sends, the other gets."""

import http.client
import http.server
import random
import threading
from collections.abc import Iterator

import pytest

from balancer.config import BalancerConfig
from balancer.fieldtypes import Endpoint
from balancer.reactor import Reactor
from balancer.relay.http import serve
from balancer.slots import Slots
from balancer.streams import Stream
from balancer.task import Task
from balancer.testing import ListeningPeer, config_for, service_for, stream_of


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the method, the target and the body; framed as the target asks for."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = f"{self.command} {self.path} ".encode() + self.read_body()
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(body), 7_000):
                piece = body[start : start + 7_000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/close":
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *arguments: object) -> None:
        pass


class Proxy:
    """The relay, run by a thread of its own, before one `Echo`."""

    def __init__(self) -> None:
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        self.server.daemon_threads = True
        config: BalancerConfig = config_for({"echo": Endpoint("127.0.0.1", self.server.server_port)}, mode="http")
        self.reactor = Reactor()
        self.slots = Slots.create(config, workers=1)
        self.service = service_for(self.reactor, config, self.slots)
        self.listening = ListeningPeer()
        self.stopping = False
        self.connections: list[Task[None]] = []
        self.threads = [threading.Thread(target=self.server.serve_forever), threading.Thread(target=self.work)]
        for thread in self.threads:
            thread.start()

    def work(self) -> None:
        self.listening.socket.setblocking(False)
        while not self.stopping:
            try:
                stream: Stream = stream_of(self.reactor, self.listening.socket.accept()[0])
            except BlockingIOError:
                self.reactor.turn(0.001)
            else:
                self.connections.append(self.reactor.spawn(self.serve(stream)))
        for connection in self.connections:
            connection.cancel()
        while self.reactor.turn(0.001):
            pass

    async def serve(self, stream: Stream) -> None:
        try:
            await serve(self.service, stream)
        finally:
            stream.close()

    def close(self) -> None:
        self.stopping = True
        self.server.shutdown()
        for thread in self.threads:
            thread.join()
        self.server.server_close()
        self.service.pools["pool"].close_kept()
        self.reactor.turn()
        self.listening.close()
        self.reactor.close()
        self.slots.close()
        assert self.reactor.bugs.count == 0


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


@pytest.mark.parametrize("target", ["/length", "/chunked", "/close"])
@pytest.mark.parametrize("chunked", [False, True], ids=["body-length", "body-chunked"])
def test_a_connection_of_the_standard_library(proxy: Proxy, target: str, chunked: bool) -> None:
    rng = random.Random(1)
    connection = http.client.HTTPConnection("127.0.0.1", proxy.listening.endpoint.port, timeout=20)
    for size in (0, 1, 5_000, 300_000, 17):
        body = rng.randbytes(size)
        sent: object = iter([body[: size // 2], body[size // 2 :]]) if chunked and size > 1 else body
        connection.request("POST", target, body=sent, encode_chunked=chunked and size > 1)  # type: ignore[arg-type]
        response = connection.getresponse()
        assert response.status == 200
        assert response.read() == f"POST {target} ".encode() + body
    connection.close()


def test_gets_of_the_standard_library(proxy: Proxy) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.listening.endpoint.port, timeout=20)
    for number in range(20):
        connection.request("GET", f"/{number}")
        assert connection.getresponse().read() == f"GET /{number} ".encode()
    connection.close()
    assert proxy.slots.server_counts("pool", "echo").connections <= 20
