"""The PROXY protocol, byte for byte."""

import pytest

from balancer.proxyproto import BadProxyHeader, Header, Reason, TlsFacts, crc32c, encode, facts_of, local, parse
from balancer.tls.info import ClientCertificate, TlsInfo

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
ADDRESSES_4 = b"\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x01\xbb"
ADDRESSES_6 = b"\x20\x01\x0d\xb8" + bytes(11) + b"\x07" + b"\x20\x01\x0d\xb8" + bytes(11) + b"\x01\x12\x67\x01\xbb"
TOLD = (("192.0.2.7", 4711), ("198.51.100.1", 443))
SSL = b"\x20\x00\x0f\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n", Header(44, *TOLD)),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nGET /", Header(44, *TOLD)),
        (
            b"PROXY TCP6 2001:DB8:0::7 2001:db8::1 0 65535\r\n",
            Header(46, ("2001:db8::7", 0), ("2001:db8::1", 65535)),
        ),
        (b"PROXY UNKNOWN\r\n", Header(15)),
        (b"PROXY UNKNOWN ff:ff not even addresses\r\n", Header(40)),
        (b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n", Header(107)),
        (SIGNATURE + b"\x20\x00\x00\x00", Header(16)),
        (SIGNATURE + b"\x20\x11\x00\x03abc", Header(19)),
        (SIGNATURE + b"\x21\x00\x00\x02ab", Header(18)),
        (SIGNATURE + b"\x21\x11\x00\x0c" + ADDRESSES_4, Header(28, *TOLD)),
        (SIGNATURE + b"\x21\x21\x00\x24" + ADDRESSES_6, Header(52, ("2001:db8::7", 4711), ("2001:db8::1", 443))),
        (SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216), Header(232)),
        (
            SIGNATURE + b"\x21\x11\x00\x18" + ADDRESSES_4 + b"\x01\x00\x02h2\x04\x00\x00\xe0\x00\x01x",
            Header(40, *TOLD, ((1, b"h2"), (4, b""), (0xE0, b"x"))),
        ),
        (SIGNATURE + b"\x21\x11\x00\x13" + ADDRESSES_4 + b"\x03\x00\x04\xbf\xe8\xe7\x81", None),
    ],
)
def test_a_header(data: bytes, header: Header | None) -> None:
    if header is None:
        with pytest.raises(BadProxyHeader, match="wrong CRC32C"):
            parse(data)
    else:
        assert parse(data) == header


def test_a_right_checksum() -> None:
    # The sum of these bytes with zeros in its place, by the bitwise definition (polynomial 0x1EDC6F41, reflected).
    head = SIGNATURE + b"\x21\x11\x00\x13" + ADDRESSES_4 + b"\x03\x00\x04"
    crc = 0xFFFFFFFF
    for byte in head + bytes(4):
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    right = (crc ^ 0xFFFFFFFF).to_bytes(4, "big")
    assert parse(head + right) == Header(35, *TOLD, ((3, right),))
    with pytest.raises(BadProxyHeader, match="wrong CRC32C"):
        parse(head + right[:3] + bytes((right[3] ^ 1,)))


def test_the_checksum_of_rfc_3720() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", Reason.NOT_A_HEADER),
        (b"\x16\x03\x01", Reason.NOT_A_HEADER),
        (b"\r\n\r\n\x00\r\nQUIT\r", Reason.NOT_A_HEADER),
        (b"proxy tcp4 ", Reason.NOT_A_HEADER),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n", Reason.LINE),
        (b"PROXY  TCP4 192.0.2.7 198.51.100.1 4711 443\r\n", Reason.LINE),
        (b"PROXY TCP4 192.0.2.7  198.51.100.1 4711 443\r\n", Reason.LINE),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443 \r\n", Reason.LINE),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n", Reason.LINE),
        (b"PROXY UDP4 192.0.2.7 198.51.100.1 4711 443\r\n", Reason.LINE),
        (b"PROXY UNKNOWN\rX\r\n", Reason.LINE),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n", Reason.LINE),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 04711 443\r\n", Reason.PORT),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 65536\r\n", Reason.PORT),
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 99999 443\r\n", Reason.PORT),
        (b"PROXY TCP4 192.0.02.7 198.51.100.1 4711 443\r\n", Reason.ADDRESS),
        (b"PROXY TCP4 192.0.2 198.51.100.1 4711 443\r\n", Reason.ADDRESS),
        (b"PROXY TCP4 2001:db8::7 198.51.100.1 4711 443\r\n", Reason.ADDRESS),
        (b"PROXY TCP6 192.0.2.7 2001:db8::1 4711 443\r\n", Reason.ADDRESS),
        (b"PROXY UNKNOWN " + b"f" * 92 + b"\r\n", Reason.LINE_TOO_LONG),
        (b"PROXY TCP4 " + b"1" * 200, Reason.LINE_TOO_LONG),
        (SIGNATURE + b"\x11", Reason.VERSION),
        (SIGNATURE + b"\x22", Reason.COMMAND),
        (SIGNATURE + b"\x21\x12\x00\x0c", Reason.FAMILY),
        (SIGNATURE + b"\x21\x22\x00\x24", Reason.FAMILY),
        (SIGNATURE + b"\x21\x32\x00\xd8", Reason.FAMILY),
        (SIGNATURE + b"\x21\x10\x00\x0c", Reason.FAMILY),
        (SIGNATURE + b"\x21\x41\x00\x0c", Reason.FAMILY),
        (SIGNATURE + b"\x21\x11\x00\x0b", Reason.TOO_SHORT),
        (SIGNATURE + b"\x21\x21\x00\x23", Reason.TOO_SHORT),
        (SIGNATURE + b"\x21\x11\x3f\xf1", Reason.TOO_LARGE),
        (SIGNATURE + b"\x20\x00\xff\xff", Reason.TOO_LARGE),
        (SIGNATURE + b"\x21\x11\x00\x0e" + ADDRESSES_4 + b"\x01\x00", Reason.TLV),
        (SIGNATURE + b"\x21\x11\x00\x10" + ADDRESSES_4 + b"\x01\x00\x02h", Reason.TLV),
        (SIGNATURE + b"\x21\x11\x00\x90" + ADDRESSES_4 + b"\x05\x00\x81" + bytes(129), Reason.TLV),
        (SIGNATURE + b"\x21\x11\x00\x12" + ADDRESSES_4 + b"\x03\x00\x03abc", Reason.TLV),
        (SIGNATURE + b"\x21\x11\x00\x13" + ADDRESSES_4 + b"\x20\x00\x04abcd", Reason.TLV),
        (SIGNATURE + b"\x21\x11\x00\x15" + ADDRESSES_4 + b"\x20\x00\x06" + bytes(6), Reason.TLV),
    ],
)
def test_what_is_no_header(data: bytes, reason: Reason) -> None:
    with pytest.raises(BadProxyHeader) as raised:
        parse(data)
    assert raised.value.reason is reason
    assert str(raised.value) == reason.value


@pytest.mark.parametrize(
    "data", [b"", b"P", b"PROXY TCP4 192.0.2.7 ", SIGNATURE[:5], SIGNATURE, SIGNATURE + b"\x20\x00"]
)
def test_what_may_become_one(data: bytes) -> None:
    assert parse(data) is None


def test_tls_facts_in_a_header() -> None:
    header = parse(SIGNATURE + b"\x21\x11\x00\x1e" + ADDRESSES_4 + SSL)
    assert header is not None
    assert header.over_tls
    assert header.value(0x20) == b"\x01\x00\x00\x00\x00\x21\x00\x07TLSv1.3"
    assert header.value(0x02) is None
    assert not Header(16).over_tls


def test_a_checks_own_connection() -> None:
    assert local("v1") == b"PROXY UNKNOWN\r\n"
    assert local("v2") == SIGNATURE + b"\x20\x00\x00\x00"


@pytest.mark.parametrize(
    ("version", "source", "destination", "header"),
    [
        ("v1", *TOLD, b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"),
        ("v1", ("2001:db8::7", 1), ("2001:db8::1", 2), b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n"),
        ("v1", ("192.0.2.7", 1), ("2001:db8::1", 2), b"PROXY TCP6 ::ffff:c000:207 2001:db8::1 1 2\r\n"),
        ("v2", *TOLD, SIGNATURE + b"\x21\x11\x00\x0c" + ADDRESSES_4),
        ("v2", ("2001:db8::7", 4711), ("2001:db8::1", 443), SIGNATURE + b"\x21\x21\x00\x24" + ADDRESSES_6),
    ],
)
def test_what_is_sent(version: str, source: tuple[str, int], destination: tuple[str, int], header: bytes) -> None:
    assert encode(version, source, destination) == header


def test_what_is_sent_of_tls_and_of_a_request() -> None:
    tls = TlsFacts("TLSv1.3", "X", b"h2", "a.b", "me", verified=True)
    assert encode("v2", *TOLD, tls=tls, unique_id=b"id") == (
        SIGNATURE + b"\x21\x11\x00\x37" + ADDRESSES_4 + b"\x01\x00\x02h2" + b"\x02\x00\x03a.b"
        b"\x20\x00\x18\x07\x00\x00\x00\x00\x21\x00\x07TLSv1.3\x22\x00\x02me\x23\x00\x01X" + b"\x05\x00\x02id"
    )  # fmt: skip
    assert encode("v1", *TOLD, tls=tls, unique_id=b"id") == b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"


def test_what_is_told_of_a_connection_with_tls() -> None:
    anna = ClientCertificate("CN=anna", "anna", "0F", "ab")
    assert facts_of(TlsInfo("TLSv1.3", "X", "h2", "a.b", client=anna)) == TlsFacts(
        "TLSv1.3", "X", b"h2", "a.b", "anna", verified=True
    )
    assert facts_of(TlsInfo("TLSv1.2", "Y", None, None)) == TlsFacts("TLSv1.2", "Y")
    assert facts_of(None) is None
