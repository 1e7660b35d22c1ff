"""Payloads and frames as they must be, to the byte; scapy as oracle where it is right (not on rfc9568 checksums)."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from vrrp.advertisement import Advertisement, Datagram, decode, encode
from vrrp.announcements import gratuitous_arp

GROUP = IPv4Address("224.0.0.18")

MEANINGS = {
    "keepalived-2.2.7": (51, 150, 100, ("10.99.0.100",)),
    "message-only": (51, 150, 100, ("10.99.0.100",)),
    "resigns": (51, 0, 100, ("10.99.0.100",)),
    "resigns-message": (51, 0, 100, ("10.99.0.100",)),
    "frr-8.4.4": (51, 200, 100, ("10.99.0.100",)),
    "two-addresses": (1, 255, 1, ("192.0.2.10", "192.0.2.11")),
    "two-message-only": (1, 255, 1, ("192.0.2.10", "192.0.2.11")),
}


def golden_advert(line):
    name, source, checksum, text = line.split()
    return pytest.param(name, IPv4Address(source), checksum, bytes.fromhex(text), id=name)


LINES = (Path(__file__).parent / "adverts.txt").read_text().splitlines()
GOLDEN = [golden_advert(line) for line in LINES if line and not line.startswith("#")]


def meaning(name):
    vrid, priority, interval_cs, addresses = MEANINGS[name]
    return Advertisement(
        vrid=vrid,
        priority=priority,
        max_advert_interval_cs=interval_cs,
        addresses=tuple(map(IPv4Address, addresses)),
    )


@pytest.mark.parametrize(("name", "source", "checksum", "payload"), GOLDEN)
def test_decoded(name, source, checksum, payload):
    assert decode(Datagram(payload, source, GROUP, 255)) == (meaning(name), checksum)


@pytest.mark.parametrize(("name", "source", "checksum", "payload"), GOLDEN)
def test_encoded(name, source, checksum, payload):
    assert encode(meaning(name), source=source, checksum=checksum) == payload


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
    vrrp = pytest.importorskip("scapy.layers.vrrp")
    l2 = pytest.importorskip("scapy.layers.l2")
    yield inet.IP, vrrp.VRRPv3, l2.Ether
    patch.undo()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keepalived-2.2.7", "resigns", "frr-8.4.4", "two-addresses"])
def test_scapy_builds_the_same(scapy_layers, name):
    ip, vrrp3, _ = scapy_layers
    vrid, priority, interval_cs, addresses = MEANINGS[name]
    source = "192.0.2.1" if name.startswith("two") else "10.99.0.1"
    layer = vrrp3(vrid=vrid, priority=priority, adv=interval_cs, addrlist=list(addresses))
    packet = bytes(ip(src=source, dst="224.0.0.18", ttl=255, proto=112) / layer)
    assert packet[20:] == encode(meaning(name), source=IPv4Address(source), checksum="rfc5798")


@pytest.mark.slow
def test_scapy_reads_the_gratuitous_arp(scapy_layers):
    *_, ether = scapy_layers
    frame = ether(gratuitous_arp(IPv4Address("10.99.0.100"), bytes.fromhex("02000000000a")))
    arp = frame["ARP"]
    assert (frame.dst, frame.src, arp.op) == ("ff:ff:ff:ff:ff:ff", "02:00:00:00:00:0a", 1)
    assert (arp.psrc, arp.pdst, arp.hwsrc) == ("10.99.0.100", "10.99.0.100", "02:00:00:00:00:0a")
