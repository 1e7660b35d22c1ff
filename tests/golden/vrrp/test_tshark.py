"""tshark as a witness: it reads every advert without complaint, signed ones too, and calls the checksums good."""

import struct
import subprocess
from ipaddress import ip_address

import pytest

from vrrp.advertisement import Advertisement, encode, group_of
from vrrp.authentication import Signer

_PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)  # 101: packets begin with their IP header
FIELDS = ("ip.version", "vrrp.version", "vrrp.virt_rtr_id", "vrrp.prio", "vrrp.addr_count")
FIELDS += ("vrrp.checksum.status", "_ws.expert.message")
GOOD, NO_COMPLAINT = "1", ""


def packet(payload, source):
    source = ip_address(source)
    group = group_of(source.version)
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), 112, 255) + source.packed + group.packed + payload
    head = struct.pack("!BBHIBBH", 0x45, 0xC0, 20 + len(payload), 0, 255, 112, 0)
    return head + source.packed + group.packed + payload


def advert(source, *addresses, version=3, priority=150, signer=None, password=None):
    value = Advertisement(
        vrid=51, priority=priority, max_advert_interval_cs=100, addresses=tuple(map(ip_address, addresses))
    )
    source = ip_address(source)
    payload = encode(value, source=source, checksum="rfc5798", version=version, password=password)
    return packet(signer.sign(payload, source) if signer else payload, source)


@pytest.fixture
def read(program, tmp_path):
    """What tshark says of packets: one list of FIELDS for each."""
    tshark = program("tshark")

    def read(*packets):
        records = [struct.pack("<IIII", 0, 0, len(one), len(one)) + one for one in packets]
        (tmp_path / "adverts.pcap").write_bytes(_PCAP + b"".join(records))
        command = [tshark, "-r", tmp_path / "adverts.pcap", "-T", "fields"]
        command += [word for field in FIELDS for word in ("-e", field)]
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
        return [line.split("\t") for line in run.stdout.splitlines()]

    return read


@pytest.mark.slow
def test_tshark_calls_our_adverts_good(read):
    said = read(
        advert("10.99.0.1", "10.99.0.100", "10.99.0.101"),
        advert("10.99.0.1", "10.99.0.100", priority=0),
        advert("fe80::1", "fe80::100", "fd99::100"),
        advert("10.99.0.1", "10.99.0.100", version=2),
        advert("10.99.0.1", "10.99.0.100", version=2, password="secret12"),
    )
    assert said == [
        ["4", "3", "51", "150", "2", GOOD, NO_COMPLAINT],
        ["4", "3", "51", "0", "1", GOOD, NO_COMPLAINT],
        ["6", "3", "51", "150", "2", GOOD, NO_COMPLAINT],
        ["4", "2", "51", "150", "1", GOOD, NO_COMPLAINT],
        ["4", "2", "51", "150", "1", GOOD, NO_COMPLAINT],
    ]


@pytest.mark.slow
def test_tshark_calls_signed_adverts_good(read):
    signer = Signer(b"k" * 32, 1_700_000_000)
    many = [advert("10.99.0.1", "10.99.0.100", signer=signer) for _ in range(50)]
    many += [advert("fe80::1", "fe80::100", "fd99::100", signer=signer) for _ in range(50)]
    assert read(*many) == (
        [["4", "3", "51", "150", "1", GOOD, NO_COMPLAINT]] * 50
        + [["6", "3", "51", "150", "2", GOOD, NO_COMPLAINT]] * 50
    )


@pytest.mark.slow
def test_tshark_would_complain(read):
    wrong = bytes.fromhex("31339601006442ae0a630064")
    [[*_, status, complaint]] = read(packet(wrong, "10.99.0.1"))
    assert (status, complaint) == ("0", "Bad checksum [should be 0x42ad]")
