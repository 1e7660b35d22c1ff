"""Ethernet frames through AF_PACKET."""

import socket

from vrrp.interfaces import Interface


class PacketSender:
    """Sends whole frames. Its socket receives nothing: it is bound to no protocol."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)

    def send(self, interface: Interface, frame: bytes) -> None:
        """Send a frame as it is. Raises OSError."""
        self._sock.sendto(frame, (interface.name, 0))

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()
