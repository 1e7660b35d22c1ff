"""Fresh ARP lookups, as of a machine that has never heard of an address: `python -m hapair.lab.lookups ADDRESS SOURCE`.

Each line on stdin, `START COUNT EVERY` (an instant of time.monotonic(), a number, seconds), asks for so many lookups;
each lookup becomes a line on stdout as soon as the next one is due. No cache stands between: requests and answers are
read and written as frames.
"""

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

_ETH_P_ARP = 0x0806
_BROADCAST = b"\xff" * 6
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_REQUEST, _REPLY = 1, 2
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")


@dataclass(frozen=True, slots=True)
class Lookup:
    """One ARP request and all its answers."""

    sent_at: float
    answers: tuple[tuple[str, float], ...]
    """Hardware address and instant, in the order they came. The first is what a machine's cache takes."""

    def reached(self, mac: str) -> bool:
        """Whether the machine that asked would send its packets there."""
        return bool(self.answers) and self.answers[0][0] == mac

    def answered_by(self, mac: str) -> bool:
        """Whether that one answered at all."""
        return any(answer == mac for answer, _ in self.answers)


def encode(lookup: Lookup) -> bytes:
    """A line."""
    return json.dumps([lookup.sent_at, lookup.answers]).encode() + b"\n"


def decode(line: bytes) -> Lookup:
    """The lookup of a line that `encode` made."""
    sent_at, answers = json.loads(line)
    return Lookup(sent_at, tuple((mac, at) for mac, at in answers))


def request(mac: bytes, source: str, target: str) -> bytes:
    """A broadcast frame that asks who has `target` (RFC 826)."""
    asking, asked = socket.inet_aton(source), socket.inet_aton(target)
    arp = _ARP.pack(1, 0x0800, 6, 4, _REQUEST, mac, asking, bytes(6), asked)
    return _BROADCAST + mac + struct.pack("!H", _ETH_P_ARP) + arp


def answer_in(frame: bytes, target: str) -> str | None:
    """The hardware address that a frame says `target` has; None where it is no reply about it."""
    if len(frame) < 14 + _ARP.size:
        return None
    _, _, _, _, operation, mac, address, _, _ = _ARP.unpack_from(frame, 14)
    return mac.hex(":") if operation == _REPLY and address == socket.inet_aton(target) else None


class Prober:
    """Asks for one address from one interface."""

    def __init__(self, target: str, source: str, interface: str = "eth0") -> None:
        self._target = target
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP))
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._sock.bind((interface, _ETH_P_ARP))
        self._request = request(self._sock.getsockname()[4], source, target)

    def lookups(self, start: float, count: int, every_s: float) -> Iterator[Lookup]:
        """That many lookups; each is given what answers came before the next."""
        for number in range(count):
            list(self._answers_until(start + number * every_s))  # what comes unasked, or late, is no answer to the next
            sent_at = time.monotonic()
            self._sock.send(self._request)
            yield Lookup(sent_at, tuple(self._answers_until(start + (number + 1) * every_s)))

    def _answers_until(self, until: float) -> Iterator[tuple[str, float]]:
        while (left := until - time.monotonic()) > 0:
            if select.select([self._sock], [], [], left)[0]:
                frame, ancillary, _, _ = self._sock.recvmsg(256, 64)
                seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
                if mac := answer_in(frame, self._target):
                    yield (
                        mac,
                        seconds + nanoseconds / 1e9 - (time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()),
                    )


def main(target: str, source: str) -> None:
    """Answer the lines on stdin."""
    prober = Prober(target, source)
    for line in sys.stdin:
        start, count, every = line.split()
        for lookup in prober.lookups(float(start), int(count), float(every)):
            sys.stdout.buffer.write(encode(lookup))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:3])
