"""Frames into a file that tcpdump, tshark and Wireshark read."""

from pathlib import Path
from types import TracebackType
from typing import Self

from scapy.layers.l2 import Ether
from scapy.utils import RawPcapWriter

_ETHERNET = 1


class Pcap:
    """A file that is written frame by frame, so that a capture that is killed is whole but for its last frame."""

    def __init__(self, path: Path) -> None:
        """Overwrites. Raises OSError."""
        self._writer = RawPcapWriter(str(path), linktype=_ETHERNET, sync=True)
        self._writer.write_header(Ether())

    def write(self, frame: bytes, at: float) -> None:
        """`at` in seconds of the Unix epoch."""
        seconds = int(at)
        self._writer.write_packet(frame, sec=seconds, usec=int((at - seconds) * 1e6))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.close()
