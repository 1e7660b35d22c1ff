"""Flows on their way to the other node, to the byte; what is no flow is refused."""

from ipaddress import ip_address

import pytest

from balancer.kernel.conntrack import TCP, UDP, Flow, Tcp
from balancer.kernel.records import LONGEST_BYTES, Record, RecordReason, RecordRejected, decode, encode


def flow(protocol: int, client: str, vip: str, server: str, tcp: Tcp | None) -> Flow:
    ends = [ip_address(one).packed for one in (client, vip, server)]
    return Flow(protocol, ends[0], 40000, ends[1], 80, ends[2], 8080, ends[1], 50000, 0x1BE, 600, tcp)


OPEN = Record(flow(TCP, "192.0.2.7", "192.0.2.100", "192.0.2.21", Tcp(3, (7, 8), (1, 9))), gone=False)
GONE = Record(flow(UDP, "2001:db8::7", "2001:db8::100", "2001:db8::21", None), gone=True)
OPEN_BYTES = bytes.fromhex(
    "0206 c0000207 9c40 c0000264 0050 c0000215 1f90 c0000264 c350 000001be 00000258 03 07 08 01 09"
)
GONE_BYTES = bytes.fromhex(
    "0511 20010db8000000000000000000000007 9c40 20010db8000000000000000000000100 0050"
    "20010db8000000000000000000000021 1f90 20010db8000000000000000000000100 c350 000001be 00000258 0000000000"
)


def test_there_and_back() -> None:
    assert encode([OPEN, GONE]) == OPEN_BYTES + GONE_BYTES
    assert list(decode(OPEN_BYTES + GONE_BYTES)) == [OPEN, GONE]
    assert len(GONE_BYTES) == LONGEST_BYTES == 87
    assert list(decode(b"")) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (OPEN_BYTES[:-1], RecordReason.LENGTH),
        (b"\x04", RecordReason.LENGTH),
        (b"\x12" + OPEN_BYTES[1:], RecordReason.FLAGS),
        (b"\x02\x01" + OPEN_BYTES[2:], RecordReason.PROTOCOL),
        (b"\x02\x11" + OPEN_BYTES[2:], RecordReason.PROTOCOL),
        (OPEN_BYTES[:-5] + b"\x00" + OPEN_BYTES[-4:], RecordReason.STATE),
        (OPEN_BYTES[:-5] + b"\x0a" + OPEN_BYTES[-4:], RecordReason.STATE),
        (b"\x00" + OPEN_BYTES[1:], RecordReason.STATE),
        (OPEN_BYTES[:-4] + b"\x0f" + OPEN_BYTES[-3:], RecordReason.STATE),
    ],
)
def test_what_is_no_flow(data: bytes, reason: RecordReason) -> None:
    with pytest.raises(RecordRejected) as caught:
        list(decode(data))
    assert caught.value.reason is reason


def test_a_flow_lasts_a_month_at_most() -> None:
    ever = Record(OPEN.flow._replace(timeout_s=2**32 - 1), gone=False)
    assert [one.flow.timeout_s for one in decode(encode([ever]))] == [2_592_000]
