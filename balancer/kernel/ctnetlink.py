"""The kernel's table of flows: listing it, changing it, hearing of changes. The seam to conntrack (ctnetlink)."""

import errno
import socket
import struct
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from balancer.kernel.conntrack import (
    GROUP_DESTROY,
    GROUP_NEW,
    GROUP_UPDATE,
    NETLINK_NETFILTER,
    Flow,
    Key,
    Refused,
    acknowledged,
    creation,
    deletion,
    is_end,
    listing,
    refusals_in,
    told_in,
    update,
)
from balancer.kernel.eventfilter import program
from balancer.kernel.flows import Add, Change, Drop, Put, Replace

RECEIVE_BYTES = 1 << 18
EVENT_BYTES = 1 << 12
"""Room for one event, which has a datagram of its own."""
_REQUESTS_A_DATAGRAM = 150
"""Each may be answered by a refusal, and all of those must have room in the socket."""
_EVENTS_BUFFER_BYTES = 8 << 20
_SOL_NETLINK, _ADD_MEMBERSHIP, _SHORT_ANSWERS = 270, 1, 10
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 26, 33


def open_socket() -> socket.socket:
    """For requests. Raises OSError (EPERM: without CAP_NET_ADMIN)."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    sock.setsockopt(_SOL_NETLINK, _SHORT_ANSWERS, 1)
    sock.bind((0, 0))
    return sock


def open_events(vips: Collection[bytes], buffer_bytes: int = _EVENTS_BUFFER_BYTES) -> socket.socket:
    """For events of flows to these addresses, without blocking (see balancer.kernel.eventfilter); a read raises ENOBUFS
    once after events were lost. Raises OSError."""
    sock = open_socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
    steps = program(vips)
    code = array("B", b"".join(struct.pack("=HBBI", *step) for step in steps))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(steps), code.buffer_info()[0]))
    for group in (GROUP_NEW, GROUP_UPDATE, GROUP_DESTROY):
        sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    return sock


def flows(*, is_ipv6: bool) -> Iterator[Flow]:
    """Every flow of TCP and UDP that this machine knows. Raises OSError."""
    for some in pieces(is_ipv6=is_ipv6):
        yield from some


def pieces(*, is_ipv6: bool) -> Iterator[list[Flow]]:
    """The same, some hundred at a time: the kernel looks for the next ones when it is asked."""
    with open_socket() as sock:
        sock.send(listing(is_ipv6=is_ipv6))
        while True:
            datagram = sock.recv(RECEIVE_BYTES)
            yield [told.flow for told in told_in(datagram)]
            if is_end(datagram):
                return


def delete(keys: Sequence[Key]) -> int:
    """End these flows; how many there were. Raises OSError."""
    with open_socket() as sock:
        return sum(ask(sock, deletion(key, 1)).errno == 0 for key in keys)


def ask(sock: socket.socket, request: bytes) -> Refused:
    """One request and its answer."""
    sock.send(acknowledged(request))
    return next(refusals_in(sock.recv(RECEIVE_BYTES)))


@dataclass(slots=True)
class Entries:
    """Enters changes into the kernel's table, many with one system call. `refused` counts what it did not take."""

    refused: Counter[str] = field(default_factory=Counter)
    _socket: socket.socket = field(default_factory=open_socket)

    def enter(self, changes: Iterable[Change]) -> None:
        """Raises OSError (EPERM: without CAP_NET_ADMIN)."""
        requests: list[tuple[bytes, Flow | None]] = []
        added: set[int] = set()
        for change in changes:
            match change:
                case Put(flow):
                    requests.append((creation(flow, len(requests) + 1), flow))
                case Add(flow):
                    added.add(len(requests) + 1)
                    requests.append((creation(flow, len(requests) + 1), None))
                case Replace(flow):
                    requests.append((deletion(flow.key, len(requests) + 1), None))
                    requests.append((creation(flow, len(requests) + 1), flow))
                case Drop(key):
                    requests.append((deletion(key, len(requests) + 1), None))
        known = []
        for number, refusal in self._do([request for request, _ in requests]):
            refused = requests[number - 1][1]
            if refused is not None and refusal == errno.EEXIST:
                known.append(refused)
            elif number in added and refusal == errno.EEXIST:
                continue
            elif refusal != errno.ENOENT:
                self.refused[errno.errorcode.get(refusal, str(refusal))] += 1
        for _, refusal in self._do([update(flow, number) for number, flow in enumerate(known, 1)]):
            self.refused[errno.errorcode.get(refusal, str(refusal))] += 1

    def _do(self, requests: Sequence[bytes]) -> Iterator[Refused]:
        """Those that were refused. Only the last of a datagram is answered in any case."""
        for start in range(0, len(requests), _REQUESTS_A_DATAGRAM):
            *others, last = requests[start : start + _REQUESTS_A_DATAGRAM]
            self._socket.send(b"".join(others) + acknowledged(last))
            end = start + len(others) + 1
            over = False
            while not over:
                for answer in refusals_in(self._socket.recv(RECEIVE_BYTES)):
                    over = over or answer.number == end
                    if answer.errno:
                        yield answer

    def close(self) -> None:
        self._socket.close()
