"""Frames as they stand on the wire, byte for byte."""

from ipaddress import ip_address

import pytest

from vrrp.advertisement import GROUP, GROUP6, internet_checksum
from vrrp.frames import advert_frame, icmpv6_checksum, multicast_mac

PAYLOAD = bytes.fromhex("3133960100 6442ad 0a630064".replace(" ", ""))
VMAC = bytes.fromhex("00005e000133")
VMAC6 = bytes.fromhex("00005e000233")


def test_rule_2_an_ipv4_advert_leaves_the_virtual_mac_address():
    frame = advert_frame(PAYLOAD, ip_address("10.99.0.1"), GROUP, VMAC)
    assert frame.hex() == (
        "01005e000012" "00005e000133" "0800"
        "45c00020000040 00ff709037 0a630001 e0000012".replace(" ", "") + PAYLOAD.hex()
    )  # fmt: skip
    assert internet_checksum(frame[14:34]) == 0


def test_rule_2_an_ipv6_advert_leaves_the_virtual_mac_address():
    frame = advert_frame(b"\x31" * 24, ip_address("fe80::1"), GROUP6, VMAC6)
    assert frame.hex() == (
        "333300000012" "00005e000233" "86dd"
        "6c000000" "0018" "70" "ff" "fe800000000000000000000000000001" "ff020000000000000000000000000012"
        + "31" * 24
    )  # fmt: skip


@pytest.mark.parametrize(
    ("group", "mac"),
    [
        ("224.0.0.18", "01005e000012"),
        ("239.129.2.3", "01005e010203"),
        ("ff02::12", "333300000012"),
        ("ff02::1:ff12:3456", "3333ff123456"),
    ],
)
def test_multicast_mac(group, mac):
    assert multicast_mac(ip_address(group)).hex() == mac


def test_icmpv6_checksum_of_a_message_with_its_own_is_0():
    address = ip_address("fe80::1").packed
    message = bytes.fromhex("8000 0000 0001 0001")
    checksum = icmpv6_checksum(message, address, address)
    assert icmpv6_checksum(message[:2] + checksum.to_bytes(2, "big") + message[4:], address, address) == 0
