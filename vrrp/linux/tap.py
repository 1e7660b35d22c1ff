"""Listens to adverts, ARP and neighbour discovery on an interface, in both directions, and to nothing else."""

import socket
import struct
from array import array

import trio

_SO_ATTACH_FILTER = 26
_ETH_P_ALL = 0x0003
_FRAME_BYTES = 65_536
_LOAD_BYTE, _LOAD_HALF, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x28, 0x15, 0x06

# Offsets are from the Ethernet header on; the two numbers of a jump say how many instructions are skipped.
FILTER = (
    (_LOAD_HALF, 0, 0, 12),  # the type of the frame
    (_JUMP_IF_EQUAL, 10, 0, 0x0806),  # ARP: taken
    (_JUMP_IF_EQUAL, 0, 2, 0x0800),
    (_LOAD_BYTE, 0, 0, 23),  # IPv4: its protocol
    (_JUMP_IF_EQUAL, 7, 8, 112),
    (_JUMP_IF_EQUAL, 0, 7, 0x86DD),
    (_LOAD_BYTE, 0, 0, 20),  # IPv6: its next header
    (_JUMP_IF_EQUAL, 4, 0, 112),
    (_JUMP_IF_EQUAL, 0, 4, 58),
    (_LOAD_BYTE, 0, 0, 54),  # ICMPv6: its type
    (_JUMP_IF_EQUAL, 1, 0, 135),
    (_JUMP_IF_EQUAL, 0, 1, 136),
    (_RETURN, 0, 0, 0xFFFFFFFF),
    (_RETURN, 0, 0, 0),
)


class Tap:
    """One interface. Needs CAP_NET_RAW: raises PermissionError, and OSError where there is no such interface."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._sock = socket.socket(socket.AF_PACKET, kind, 0)  # of no protocol yet: nothing comes before the filter
        code = array("B", b"".join(struct.pack("=HBBI", *step) for step in FILTER))
        address, _ = code.buffer_info()
        try:
            fprog = struct.pack("@HP", len(FILTER), address)
            self._sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
            self._sock.bind((interface, _ETH_P_ALL))
        except OSError:
            self._sock.close()
            raise

    async def next_frame(self) -> bytes:
        """The next one. Raises OSError when the interface goes down."""
        while True:
            try:
                return self._sock.recv(_FRAME_BYTES)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._sock)

    def close(self) -> None:
        """Hear no more."""
        self._sock.close()
