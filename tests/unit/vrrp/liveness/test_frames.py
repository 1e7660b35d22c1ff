from ipaddress import IPv4Address, IPv6Address

import pytest

from vrrp.liveness.frames import (
    Advert,
    Alive,
    Bye,
    FrameReason,
    FrameRejected,
    Hello,
    Message,
    decode,
    encode,
)

HELLO = Hello(
    node="pi-a",
    epoch=1,
    incarnation=2,
    sources={"lan": IPv4Address("192.0.2.1"), "lan6": IPv6Address("fe80::1")},
)


@pytest.mark.parametrize(
    ("frame", "body"),
    [
        (Alive(), b"\x01"),
        (
            HELLO,
            b"\x02\x04pi-a" + bytes(7) + b"\x01" + bytes(7) + b"\x02\x02"
            b"\x03lan\x04\xc0\x00\x02\x01\x04lan6\x10\xfe\x80" + bytes(13) + b"\x01",
        ),
        (Advert("lan", IPv4Address("192.0.2.1"), b"\x31\x33"), b"\x03\x03lan\x04\xc0\x00\x02\x01\x31\x33"),
        (Message(b"anything"), b"\x04anything"),
        (Bye("stop"), b"\x05\x04stop"),
    ],
)
def test_as_written_down(frame, body):
    assert encode(frame) == body
    assert decode(body) == frame


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", FrameReason.KIND),
        (b"\x00", FrameReason.KIND),
        (b"\x06", FrameReason.KIND),
        (b"\x01\x00", FrameReason.LENGTH),
        (b"\x02", FrameReason.LENGTH),
        (b"\x02\x00" + bytes(16) + b"\x01", FrameReason.LENGTH),
        (b"\x02\x00" + bytes(17) + b"more", FrameReason.LENGTH),
        (b"\x03\x03lan\x03\x01\x02\x03", FrameReason.ADDRESS),
        (b"\x03\x03la", FrameReason.LENGTH),
        (b"\x03\x01\xff\x04\xc0\x00\x02\x01", FrameReason.TEXT),
        (b"\x05\x04stopped", FrameReason.LENGTH),
    ],
)
def test_bytes_that_are_no_frame(body, reason):
    with pytest.raises(FrameRejected) as caught:
        decode(body)
    assert caught.value.reason is reason


def test_an_ipv6_address_travels_without_its_scope():
    advert = decode(encode(Advert("lan6", IPv6Address("fe80::1%eth0"), b"")))
    assert advert == Advert("lan6", IPv6Address("fe80::1"), b"")


def test_what_has_no_room():
    with pytest.raises(ValueError, match="60001 bytes are too many for one frame: at most 60000"):
        encode(Message(bytes(60001)))
    with pytest.raises(ValueError, match="too long: at most 255 bytes"):
        encode(Advert("x" * 256, IPv4Address("192.0.2.1"), b""))
    sources = {str(number): IPv4Address("192.0.2.1") for number in range(256)}
    with pytest.raises(ValueError, match="256 virtual routers are too many: at most 255"):
        encode(Hello(node="pi-a", epoch=1, incarnation=2, sources=sources))


def test_a_long_reason_is_shortened():
    assert decode(encode(Bye("é" * 200))) == Bye("é" * 127)
