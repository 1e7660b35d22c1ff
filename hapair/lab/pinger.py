"""Pings an address on a fixed schedule until stdin ends: `python -m hapair.lab.pinger ADDRESS INTERVAL_MS`.

Writes to stdout what was sent and what was answered, with the answer's TTL, in the records of pings.py. The kernel's
own time stamps tell when an answer came, so a pinger that gets the CPU late does not see outages of its own making.
"""

import contextlib
import gc
import math
import os
import select
import socket
import struct
import sys
import time

from hapair.lab.pings import RECORD

_ECHO_REPLY, _ECHO_REQUEST = 0, 8
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the socket module has no name for it
_FLUSH_S = 0.02
_TIMESPEC = struct.Struct("@ll")


def echo_request(ident: int, number: int) -> bytes:
    """An ICMP echo request (RFC 792) that carries the whole number: its sequence field has room for 16 bits."""
    words = (_ECHO_REQUEST << 8, ident, number & 0xFFFF, number >> 16, number & 0xFFFF)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xFFFF
    return struct.pack("!BBHHHI", _ECHO_REQUEST, 0, checksum, ident, number & 0xFFFF, number)


def parse_reply(packet: bytes, ident: int) -> tuple[int, int] | None:
    """Number and TTL, where an IPv4 packet is the reply to a request of ours."""
    header = (packet[0] & 0x0F) * 4
    if len(packet) < header + 12 or packet[header] != _ECHO_REPLY:
        return None
    found, _, number = struct.unpack_from("!HHI", packet, header + 4)
    return (number, packet[8]) if found == ident else None


class Pinger:
    """One address, pinged."""

    def __init__(self, address: str, interval_s: float) -> None:
        self._interval_s = interval_s
        self._ident = os.getpid() & 0xFFFF
        self._number = 0
        self._lines: list[bytes] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._sock.connect((address, 0))

    def run(self) -> None:
        """Ping until stdin ends."""
        due_at = flush_at = time.monotonic()
        sources: list[int | socket.socket] = [0, self._sock]
        while True:
            now = time.monotonic()
            if now >= due_at:
                self._send(now)
                # One that fell behind leaves out what it missed: a burst would measure itself.
                due_at += self._interval_s * (1 + math.floor((now - due_at) / self._interval_s))
            if now >= flush_at:
                self._flush()
                flush_at = now + _FLUSH_S
            readable, _, _ = select.select(sources, [], [], max(0.0, due_at - time.monotonic()))
            if 0 in readable and not os.read(0, 1):
                return self._flush()
            if self._sock in readable:
                self._receive()

    def _send(self, now: float) -> None:
        self._lines.append(RECORD.pack(self._number, now, 0))
        # What a network that is down answers at once is a ping without an answer.
        with contextlib.suppress(OSError):
            self._sock.send(echo_request(self._ident, self._number))
        self._number += 1

    def _receive(self) -> None:
        offset = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()  # the kernel stamps by the wall clock
        with contextlib.suppress(OSError):  # nothing more, or an unreachable that a router reported
            while True:
                packet, ancillary, _, _ = self._sock.recvmsg(256, 64)
                if reply := parse_reply(packet, self._ident):
                    number, ttl = reply
                    seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
                    self._lines.append(RECORD.pack(number, seconds + nanoseconds / 1e9 - offset, ttl))

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        data = b"".join(lines)
        while data:
            data = data[os.write(1, data) :]


if __name__ == "__main__":
    gc.disable()  # a collection would be a ping sent late; this process makes no cycles
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    Pinger(sys.argv[1], float(sys.argv[2]) / 1000).run()
