"""The program for the kernel, run here by a machine of a few lines, on events as a kernel sent them."""

import struct
from collections.abc import Collection
from ipaddress import ip_address

import pytest

from balancer.kernel.eventfilter import Step, program

VIP, OTHER = "192.0.2.100", "192.0.2.101"
VIP6, OTHER6 = "2001:db8::100", "2001:db8::101"
UPDATED, GONE = 0x100, 0x102


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    return attribute(kind | 0x8000, b"".join(parts))


def event(*, to: str = VIP, kind: int = UPDATED, protocol: int = 6, state: int | None = 3) -> bytes:
    """As linux/netfilter/nfnetlink_conntrack.h has it: tuples, status, time left, and what TCP knows."""
    target = ip_address(to)
    source = ip_address("198.51.100.7" if target.version == 4 else "2001:db8::7")
    first = 1 if target.version == 4 else 3
    ports = attribute(2, b"\x30\x39"), attribute(3, b"\x00\x50")
    tuple_parts = (
        nested(1, attribute(first, source.packed), attribute(first + 1, target.packed)),
        nested(2, attribute(1, bytes([protocol])), *ports),
    )
    body = nested(1, *tuple_parts) + nested(2, *tuple_parts) + attribute(12, bytes(4)) + attribute(3, bytes(4))
    body += attribute(7, bytes(4))
    if state is not None:
        body += nested(4, nested(1, attribute(1, bytes([state])), attribute(2, b"\x07")))
    family = bytes([2 if target.version == 4 else 10, 0, 0, 0])
    return struct.pack("=IHHII", 20 + len(body), kind, 0, 0, 0) + family + body


def found_in(data: bytes, at: int, end: int, kind: int) -> int:
    while at + 4 <= end:
        length, here = struct.unpack_from("=HH", data, at)
        if here & 0x3FFF == kind:
            return at
        at += (length + 3) & ~3
    return 0


def takes(steps: Collection[Step], data: bytes) -> bool:
    """What the kernel makes of it (networking/filter.rst)."""
    steps, a, x, at = list(steps), 0, 0, 0
    while True:
        code, then, otherwise, k = steps[at]
        at += 1
        match code:
            case 0x20 if k == 0xFFFFF00C:
                a = found_in(data, a, len(data), x)
            case 0x20 if k == 0xFFFFF010:
                a = found_in(data, a + 4, a + struct.unpack_from("=H", data, a)[0], x)
            case 0x20:
                a = int.from_bytes(data[k : k + 4], "big")
            case 0x28:
                a = int.from_bytes(data[k : k + 2], "big")
            case 0x30:
                a = data[k]
            case 0x50:
                a = data[x + k]
            case 0x00:
                a = k
            case 0x01:
                x = k
            case 0x07:
                x = a
            case 0x05:
                at += k
            case 0x15:
                at += then if a == k else otherwise
            case 0x35:
                at += then if a >= k else otherwise
            case 0x06:
                return k > 0
            case _:
                raise AssertionError(f"{code:#x}")


STEPS = program([ip_address(one).packed for one in (VIP, "192.0.2.99", VIP6, "2001:db8::99")])


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_of_tcp_the_end_of_the_handshake_and_the_end_of_it_all(vip: str) -> None:
    assert [state for state in range(1, 9) if takes(STEPS, event(to=vip, state=state))] == [3, 7, 8]


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_a_flow_that_is_deleted_while_it_is_open(vip: str) -> None:
    deleted = [state for state in range(1, 9) if takes(STEPS, event(to=vip, kind=GONE, state=state))]
    assert deleted == [3, 4, 5, 6]
    assert takes(STEPS, event(to=vip, kind=GONE, state=None))


def test_what_tells_no_state_is_of_no_use() -> None:
    assert not takes(STEPS, event(state=None))


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_all_of_udp_and_nothing_of_others(vip: str) -> None:
    assert takes(STEPS, event(to=vip, protocol=17, state=None))
    assert not takes(STEPS, event(to=vip, protocol=1, state=None))


def test_flows_to_elsewhere() -> None:
    assert [takes(STEPS, event(to=to)) for to in ("192.0.2.99", "2001:db8::99", OTHER, OTHER6)] == [
        *(True, True, False, False)
    ]
    assert not takes(program([]), event())


def test_there_is_no_room_for_too_many() -> None:
    many = [bytes([10, 0, number // 250, number % 250]) for number in range(201)]
    assert takes(program(many), event())
    assert not takes(program(many[:200]), event())
    assert takes(program(many[:200]), event(to="10.0.0.199"))
    assert max(max(step[1:3]) for step in program(many[:200])) < 256
    assert len(program([*many[:200], *(ip_address(f"fd00::{n:x}").packed for n in range(1, 201))])) < 4096
