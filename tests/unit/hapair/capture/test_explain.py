"""Frames in words: literal ones, broken ones, and any bytes at all."""

from ipaddress import ip_address
from random import Random

import pytest

from hapair.capture.explain import explain
from vrrp.authentication import Signer, derive
from vrrp.frames import icmpv6

MAC = "02 00 00 00 00 0a"
TO_ALL = "ff ff ff ff ff ff"
VMAC = "00 00 5e 00 01 33"


def ipv4(payload: str, *, ttl: str = "ff", destination: str = "e0 00 00 12", mac: str = MAC) -> bytes:
    """An IPv4 packet of protocol 112 from 192.0.2.11; the checksum of its header is not looked at."""
    body = bytes.fromhex(payload)
    head = f"45 c0 {20 + len(body):04x} 00 00 40 00 {ttl} 70 00 00 c0 00 02 0b {destination}"
    return bytes.fromhex(f"01 00 5e 00 00 12 {mac} 08 00 {head}") + body


# Version 3, VRID 51, priority 200, one address, every 10 cs: 192.0.2.100; the checksum is also scapy's.
ADVERT = "31 33 c8 01 00 0a a1 c1 c0 00 02 64"


def test_an_advert() -> None:
    assert explain(ipv4(ADVERT)) == (
        "VRRP 192.0.2.11 > 224.0.0.18: version 3, VRID 51, priority 200, every 0.1 s, for 192.0.2.100"
    )
    assert explain(ipv4(ADVERT, mac=VMAC)).endswith(", from the virtual MAC address 00:00:5e:00:01:33")


def test_one_that_resigns_and_one_of_version_2_with_a_password() -> None:
    assert "priority 0 (it resigns)" in explain(ipv4("31 33 00 01 00 0a 69 c2 c0 00 02 64"))
    two = "21 33 ff 01 01 01 40 87 c0 00 02 64 68 75 73 68 00 00 00 00"
    said = explain(ipv4(two))
    assert said.startswith(
        "VRRP 192.0.2.11 > 224.0.0.18: version 2, VRID 51, priority 255 (the owner of the addresses)"
    )
    assert "hush" not in said


def test_a_signed_one() -> None:
    source = ip_address("192.0.2.11")
    signed = Signer(derive(b"s" * 32, b"adverts"), 1).sign(bytes.fromhex(ADVERT), source)
    assert explain(ipv4(signed.hex())).endswith("signed by a hapair (not verified here)")


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (ipv4(ADVERT, ttl="40"), "ttl: 64 instead of 255: it was forwarded by a router"),
        (ipv4(ADVERT.replace("a1 c1", "a1 c2")), "checksum: a1c2 is wrong"),
        (ipv4("31 33"), "length: 2 bytes are less than a header"),
        (ipv4(""), "length: 0 bytes are less than a header"),
        (ipv4("31 33 c8 09 00 0a a1 c1 c0 00 02 64"), "length: "),
        (ipv4("51 33 c8 01 00 0a a1 c1 c0 00 02 64"), ""),
    ],
)
def test_adverts_that_no_router_takes(frame: bytes, why: str) -> None:
    assert explain(frame).startswith(f"VRRP 192.0.2.11 > 224.0.0.18: ! no router takes this: {why}")


def arp(operation: str, sender: str, target: str, *, mac: str = MAC) -> bytes:
    body = f"00 01 08 00 06 04 00 {operation} {mac} {sender} 00 00 00 00 00 00 {target}"
    return bytes.fromhex(f"{TO_ALL} {mac} 08 06 {body}")


VIP, NODE, NOBODY = "c0 00 02 64", "c0 00 02 0b", "00 00 00 00"


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (
            arp("01", VIP, VIP),
            "ARP announcement: 192.0.2.100 is at 02:00:00:00:00:0a (gratuitous; neighbours learn it)",
        ),
        (
            arp("02", VIP, VIP, mac=VMAC),
            "ARP announcement: 192.0.2.100 is at 00:00:5e:00:01:33 (virtual MAC address of VRID 51) "
            "(gratuitous; neighbours learn it)",
        ),
        (arp("01", NODE, VIP), "ARP request: who has 192.0.2.100? asks 192.0.2.11 at 02:00:00:00:00:0a"),
        (arp("01", NOBODY, VIP), "ARP probe: does anybody have 192.0.2.100? asks 02:00:00:00:00:0a"),
        (arp("02", VIP, NODE), "ARP reply: 192.0.2.100 is at 02:00:00:00:00:0a, to 192.0.2.11"),
        (arp("09", VIP, NODE), "ARP ! operation 9"),
        (
            bytes.fromhex(f"{TO_ALL} {MAC} 08 06 00 06 08 00 06 04 00 01"),
            "02:00:00:00:00:0a > ff:ff:ff:ff:ff:ff: 22 bytes that are neither an advert, nor ARP, nor ND",
        ),
        (arp("02", VIP, NODE).replace(b"\x00\x01\x08\x00", b"\x00\x06\x08\x00"), "ARP ! not of Ethernet and IPv4"),
    ],
)
def test_arp(frame: bytes, words: str) -> None:
    assert explain(frame) == words


def nd(message: str, *, source: str = "fe80::a", destination: str = "ff02::1") -> bytes:
    packet = icmpv6(bytes.fromhex(message), ip_address(source), ip_address(destination))
    return bytes.fromhex(f"33 33 00 00 00 01 {MAC} 86 dd") + packet


TARGET = "fd 00 00 51 00 00 00 00 00 00 00 00 00 00 01 00"


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (
            nd(f"88 00 00 00 20 00 00 00 {TARGET} 02 01 {MAC}"),
            "ND announcement: fd00:51::100 is at 02:00:00:00:00:0a, overrides what is known",
        ),
        (nd(f"88 00 00 00 40 00 00 00 {TARGET} 02 01 {MAC}"), "ND answer: fd00:51::100 is at 02:00:00:00:00:0a"),
        (
            nd(f"87 00 00 00 00 00 00 00 {TARGET} 01 01 {MAC}"),
            "ND request: who has fd00:51::100? asks fe80::a at 02:00:00:00:00:0a",
        ),
        (
            nd(f"87 00 00 00 00 00 00 00 {TARGET}", source="::"),
            "ND probe: does anybody have fd00:51::100? asks 02:00:00:00:00:0a",
        ),
    ],
)
def test_neighbour_discovery(frame: bytes, words: str) -> None:
    assert explain(frame) == words


def test_any_bytes_are_one_printable_line() -> None:
    random = Random(7)
    whole = [ipv4(ADVERT), arp("01", NODE, VIP), nd(f"88 00 00 00 20 00 00 00 {TARGET} 02 01 {MAC}"), b""]
    for n in range(600):
        frame = bytearray(whole[n % 4] if n % 3 else random.randbytes(random.randrange(120)))
        for _ in range(random.randrange(4)):
            if frame:
                frame[random.randrange(len(frame))] = random.randrange(256)
        words = explain(bytes(frame[: random.randrange(len(frame) + 1)]))
        assert words.isprintable()
        assert 0 < len(words) <= 300
