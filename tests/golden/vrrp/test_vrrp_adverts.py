"""Payloads and frames as they must be, to the byte; scapy as oracle where it is right (not on rfc9568 checksums)."""

from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

from vrrp.advertisement import Advertisement, Datagram, decode, encode
from vrrp.announcements import gratuitous_arp
from vrrp.authentication import Signer, Verifier

MEANINGS = {
    "keepalived-2.2.7": (51, 150, 100, ("10.99.0.100",)),
    "message-only": (51, 150, 100, ("10.99.0.100",)),
    "unicast": (51, 150, 100, ("10.99.0.100",)),
    "resigns": (51, 0, 100, ("10.99.0.100",)),
    "resigns-message": (51, 0, 100, ("10.99.0.100",)),
    "frr-8.4.4": (51, 200, 100, ("10.99.0.100",)),
    "two-addresses": (1, 255, 1, ("192.0.2.10", "192.0.2.11")),
    "two-message-only": (1, 255, 1, ("192.0.2.10", "192.0.2.11")),
    "ipv6": (51, 150, 100, ("fe80::100", "fd99::100")),
    "ipv6-unicast": (51, 150, 100, ("fe80::100", "fd99::100")),
    "ipv6-resigns": (51, 0, 100, ("fe80::100",)),
    "v2": (51, 150, 100, ("10.99.0.100",)),
    "v2-password": (51, 150, 100, ("10.99.0.100",)),
    "v2-short": (7, 100, 300, ("192.0.2.10",)),
}


class Golden:
    """One line of adverts.txt."""

    def __init__(self, line):
        self.name, version, self.checksum, password, source, destination, text = line.split()
        self.version = int(version)
        self.password = None if password == "-" else password
        self.source, self.destination = ip_address(source), ip_address(destination)
        self.payload = bytes.fromhex(text)

    @property
    def meaning(self):
        vrid, priority, interval_cs, addresses = MEANINGS[self.name]
        return Advertisement(
            vrid=vrid,
            priority=priority,
            max_advert_interval_cs=interval_cs,
            addresses=tuple(map(ip_address, addresses)),
        )


LINES = (Path(__file__).parent / "adverts.txt").read_text().splitlines()
GOLDEN = [Golden(line) for line in LINES if line and not line.startswith("#")]
each = pytest.mark.parametrize("golden", [pytest.param(golden, id=golden.name) for golden in GOLDEN])


def test_every_meaning_has_its_line():
    assert [golden.name for golden in GOLDEN] == list(MEANINGS)


@each
def test_decoded(golden):
    datagram = Datagram(golden.payload, golden.source, golden.destination, 255)
    peers = () if golden.destination.is_multicast else (golden.source,)
    decoded = decode(datagram, version=golden.version, password=golden.password, peers=peers)
    assert decoded == (golden.meaning, golden.checksum)


@each
def test_encoded(golden):
    payload = encode(
        golden.meaning,
        source=golden.source,
        destination=golden.destination,
        checksum=golden.checksum,
        version=golden.version,
        password=golden.password,
    )
    assert payload == golden.payload


# The key is 32 times 2a, the epoch 1700000000, the counter 7. The HMAC is what Python's hmac and openssl dgst give for
# "hapair vrrp advertisement", 00, 04, 0a630001, epoch, counter and the message. With the balance the words of the
# trailer and 0034, its length, sum up to ffff.
SIGNED = (
    "31339601006442ad0a630064"
    "6841" "3979" "000000006553f100" "0000000000000007"
    "a0f634e877823e9ccea497bcfb5c7572dea8decb5902799e75bc6630b98d7ef7"
)  # fmt: skip


def test_signed():
    signer = Signer(b"\x2a" * 32, 1700000000, 7)
    assert signer.sign(bytes.fromhex("31339601006442ad0a630064"), IPv4Address("10.99.0.1")).hex() == SIGNED


def test_signature_verified():
    verifier = Verifier(b"\x2a" * 32, "required")
    assert verifier.verify(bytes.fromhex(SIGNED), IPv4Address("10.99.0.1")).hex() == "31339601006442ad0a630064"


def test_gratuitous_arp_frame():
    frame = gratuitous_arp(IPv4Address("10.99.0.100"), bytes.fromhex("02000000000a"))
    assert frame.hex(" ") == (
        "ff ff ff ff ff ff 02 00 00 00 00 0a 08 06 "  # to everyone, from us, ARP
        "00 01 08 00 06 04 00 01 "  # Ethernet, IPv4, lengths 6 and 4, a request
        "02 00 00 00 00 0a 0a 63 00 64 "  # sender: our MAC, the VIP
        "ff ff ff ff ff ff 0a 63 00 64"  # target: nobody known, the VIP
    )


@pytest.fixture(scope="module")
def scapy_layers(tmp_path_factory):
    """scapy's layers, with its cache in a folder of the test's own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    inet = pytest.importorskip("scapy.layers.inet")
    inet6 = pytest.importorskip("scapy.layers.inet6")
    vrrp = pytest.importorskip("scapy.layers.vrrp")
    l2 = pytest.importorskip("scapy.layers.l2")
    yield inet.IP, inet6.IPv6, vrrp.VRRPv3, vrrp.VRRP, l2.Ether
    patch.undo()


def scapys_payload(layers, golden):
    """What scapy makes of a golden line's meaning. Its version 3 checksum has the pseudo-header always."""
    ip, ipv6, vrrp3, vrrp2, _ = layers
    vrid, priority, interval_cs, addresses = MEANINGS[golden.name]
    if golden.source.version == 4:
        header = ip(src=str(golden.source), dst=str(golden.destination), ttl=255, proto=112)
    else:
        header = ipv6(src=str(golden.source), dst=str(golden.destination), hlim=255, nh=112)
    if golden.version == 3:
        layer = vrrp3(vrid=vrid, priority=priority, adv=interval_cs, addrlist=list(addresses))
    else:
        data = (golden.password or "").encode().ljust(8, b"\0")
        auth1, auth2 = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big")
        layer = vrrp2(vrid=vrid, priority=priority, adv=interval_cs // 100, addrlist=list(addresses))
        layer.authtype, layer.auth1, layer.auth2 = int(golden.password is not None), auth1, auth2
    return bytes(header / layer)[20 if golden.source.version == 4 else 40 :]


RIGHT_IN_SCAPY = [golden for golden in GOLDEN if golden.version == 2 or golden.checksum == "rfc5798"]


@pytest.mark.slow
@pytest.mark.parametrize("golden", [pytest.param(golden, id=golden.name) for golden in RIGHT_IN_SCAPY])
def test_scapy_builds_the_same(scapy_layers, golden):
    assert scapys_payload(scapy_layers, golden).hex() == golden.payload.hex()


@pytest.mark.slow
def test_scapy_reads_the_gratuitous_arp(scapy_layers):
    *_, ether = scapy_layers
    frame = ether(gratuitous_arp(IPv4Address("10.99.0.100"), bytes.fromhex("02000000000a")))
    arp = frame["ARP"]
    assert (frame.dst, frame.src, arp.op) == ("ff:ff:ff:ff:ff:ff", "02:00:00:00:00:0a", 1)
    assert (arp.psrc, arp.pdst, arp.hwsrc) == ("10.99.0.100", "10.99.0.100", "02:00:00:00:00:0a")
