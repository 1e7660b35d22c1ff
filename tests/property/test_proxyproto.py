"""The PROXY protocol for any bytes: a value or the one error, whatever the split; what is written is read back."""

from hypothesis import given
from hypothesis import strategies as st

from balancer.proxyproto import SIGNATURE, BadProxyHeader, Header, TlsFacts, encode, parse

PORTS = st.integers(0, 65535)
PAIRS = st.one_of(*(st.tuples(st.ip_addresses(v=v).map(str), st.ip_addresses(v=v).map(str)) for v in (4, 6)))
BEGINNINGS = st.sampled_from(
    (b"", b"PROXY ", b"PROXY TCP4 1.2.3.4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00\x0f", SIGNATURE + b"\x20\x00\x00")
)
ENDS = st.sampled_from((b"", b"\r\n", b" 1.2.3.4 1 2\r\n"))


def outcome(data: bytes) -> object:
    try:
        return parse(data)
    except BadProxyHeader as bad:
        return bad.reason


@given(BEGINNINGS, st.binary(max_size=60), ENDS, st.data())
def test_any_bytes_for_any_split(beginning: bytes, middle: bytes, end: bytes, data: st.DataObject) -> None:
    whole = beginning + middle + end
    at_once = outcome(whole)
    early = outcome(whole[: data.draw(st.integers(0, len(whole)))])
    assert early in (None, at_once)
    if isinstance(at_once, Header):
        assert outcome(whole[: at_once.size]) == at_once
        assert outcome(whole[: at_once.size - 1]) is None


@given(st.sampled_from(("v1", "v2")), PAIRS, PORTS, PORTS, st.binary(max_size=20), st.binary(max_size=128))
def test_what_is_written_is_read_back(
    version: str, pair: tuple[str, str], from_port: int, to_port: int, after: bytes, unique_id: bytes
) -> None:
    tls = TlsFacts("TLSv1.2", "C", b"http/1.1", "a.example", verified=True)
    data = encode(version, (pair[0], from_port), (pair[1], to_port), tls=tls, unique_id=unique_id)
    header = parse(data + after)
    assert header is not None
    assert (header.size, header.source, header.destination) == (len(data), (pair[0], from_port), (pair[1], to_port))
    assert header.over_tls is (version == "v2")
