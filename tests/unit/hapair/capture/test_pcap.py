"""The pcap file, byte by byte."""

import struct
from pathlib import Path

from hapair.capture.pcap import Pcap

FRAME = bytes.fromhex("ff ff ff ff ff ff 02 00 00 00 00 0a 08 06") + bytes(28)


def test_a_file_that_others_read(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    with Pcap(path) as pcap:
        pcap.write(FRAME, 1_700_000_000.25)
        size = path.stat().st_size  # it is there before the file is closed
        pcap.write(FRAME, 1_700_000_001.0)
    data = path.read_bytes()
    assert size == 24 + 16 + len(FRAME)
    magic, major, minor, _, _, _, link = struct.unpack_from("=IHHIIII", data)
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 1)
    assert struct.unpack_from("=IIII", data, 24) == (1_700_000_000, 250_000, len(FRAME), len(FRAME))
    assert data[40 : 40 + len(FRAME)] == FRAME
