"""Clients and the server of the benchmark of mode udp, in one process; prints how many operations there were.

python -m benchmarks.datagrams CASE PROXY_PORT SERVER_PORT SECONDS
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time
from collections.abc import Callable

CLIENTS = 50
LARGEST = 65_535
QUESTION = b"q" * 100
WINDOW = 64
PACKET = b"p" * 1200
BURST = 64
IN_GROUPS = [(socket.IPPROTO_UDP, 103, len(PACKET).to_bytes(2, sys.byteorder))]  # UDP_SEGMENT

Address = tuple[str, int]


def udp(port: int = 0) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", port))
    one.setblocking(False)
    return one


class Case:
    """Clients that send to the proxy, and the server; `done` counts."""

    def __init__(self, proxy: int, server: int) -> None:
        self.proxy = ("127.0.0.1", proxy)
        self.server = udp(server)
        self.poll = select.epoll()
        self.poll.register(self.server, select.EPOLLIN)
        self.clients: dict[int, socket.socket] = {}
        self.done = 0

    def client(self) -> socket.socket:
        one = udp()
        one.connect(self.proxy)
        self.clients[one.fileno()] = one
        self.poll.register(one, select.EPOLLIN)
        return one

    def begin(self) -> None:
        for _ in range(CLIENTS):
            self.client().send(QUESTION)

    def serve(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, address = self.server.recvfrom(LARGEST)
                self.server.sendto(data, address)

    def answered(self, one: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            one.recv(LARGEST)
            self.done += 1
            one.send(QUESTION)

    def idle(self) -> None:
        """Nothing has come for a while: a datagram was lost. Ask again."""
        for one in self.clients.values():
            one.send(QUESTION)

    def run(self, seconds: float) -> int:
        self.begin()
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            events = self.poll.poll(0.2)
            for fd, _ in events:
                if fd == self.server.fileno():
                    self.serve()
                elif fd in self.clients:
                    self.answered(self.clients[fd])
            if not events:
                self.idle()
        return self.done


class Fresh(Case):
    """Each question from a port of its own, as resolvers ask."""

    def answered(self, one: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            one.recv(LARGEST)
            self.done += 1
            del self.clients[one.fileno()]
            one.close()
            self.client().send(QUESTION)


class Lines(Case):
    """One way: what reaches the server counts."""

    def begin(self) -> None:
        self.senders = [self.client() for _ in range(8)]
        self.sent = 0
        self.more()

    def more(self) -> None:
        while self.sent < self.done + WINDOW:
            self.senders[self.sent % 8].send(QUESTION)
            self.sent += 1

    def serve(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.server.recv(LARGEST)
                self.done += 1
        self.more()

    def idle(self) -> None:
        self.sent = self.done
        self.more()


class Download(Case):
    """Bursts of packets from the server to one client; the first packet of the next burst is asked for."""

    def begin(self) -> None:
        self.client().send(QUESTION)

    def serve(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.burst(self.server.recvfrom(LARGEST)[1])

    def burst(self, address: Address) -> None:
        for _ in range(BURST):
            self.server.sendto(PACKET, address)

    def answered(self, one: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                one.recv(LARGEST)
                self.done += 1
                if self.done % BURST == 0:
                    one.send(QUESTION)


class Groups(Download):
    """The same, each burst in two calls of the server, as servers of QUIC send."""

    def burst(self, address: Address) -> None:
        for _ in range(2):
            self.server.sendmsg([PACKET * (BURST // 2)], IN_GROUPS, 0, address)


CASES: dict[str, Callable[[int, int], Case]] = {
    "ask": Case,
    "fresh": Fresh,
    "lines": Lines,
    "download": Download,
    "groups": Groups,
}


if __name__ == "__main__":
    case, proxy_port, server_port, span = sys.argv[1:]
    print(CASES[case](int(proxy_port), int(server_port)).run(float(span)))
