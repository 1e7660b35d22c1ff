"""What the other node's flows process says, and what the kernel says, with bytes changed: a value or the one error.

HAPAIR_FUZZ_ROUNDS=1000000 runs it for long. Seeded; short here.
"""

import os
import random

import pytest

from balancer.kernel import conntrack
from balancer.kernel.conntrack import SEEN_REPLY, TCP, UDP, Flow, Tcp, Told
from balancer.kernel.flows import Add, Door, Drop, Intake, Outbox, Put, Replace, door_of
from balancer.kernel.records import LONGEST_BYTES, Record, RecordRejected
from balancer.kernel.records import decode as decode_records
from balancer.kernel.records import encode as encode_records
from hapair.replication.frames import Alive, Begin, End, Entered, Flows, FrameError, decode, encode

ROUNDS = int(os.environ.get("HAPAIR_FUZZ_ROUNDS", "3000"))
VIP, VIP6 = bytes((192, 0, 2, 100)), bytes.fromhex("20010db8000000000000000000000100")
OWN, THEIRS = Door(TCP, VIP, 80), Door(UDP, VIP6, 53)


def tcp(port: int, vip_port: int = 80) -> Flow:
    ends = (bytes((192, 0, 2, 7)), port, VIP, vip_port, bytes((192, 0, 2, 21)), 8080, VIP, port)
    return Flow(TCP, *ends, SEEN_REPLY, 600, Tcp(3, (7, 8), (1, 9)))


def udp(port: int) -> Flow:
    client, server = (VIP6[:15] + bytes((last,)) for last in (7, 21))
    return Flow(UDP, client, port, VIP6, 53, server, 53, VIP6, port, SEEN_REPLY, 30, None)


RECORDS = [Record(tcp(1), False), Record(udp(2), False), Record(tcp(3), True), Record(udp(4), True)]
BODIES = [*map(encode, (Begin(), End(), Alive(), Entered(7), Flows(1, encode_records(RECORDS))))]


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Some bytes changed, taken out or put in."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        match rng.randrange(4):
            case 0:
                found[at : at + 1] = bytes((rng.randrange(256),))
            case 1:
                del found[at : at + rng.randint(1, 9)]
            case 2:
                found[at:at] = rng.randbytes(rng.randint(1, 9))
            case _:
                found[at : at + 4] = rng.choice((bytes(4), b"\xff" * 4, b"\x00\x00\xff\xff"))
    return bytes(found)


@pytest.mark.parametrize("seed", range(4))
def test_frames_of_the_peer(seed: int) -> None:
    rng = random.Random(seed)
    intake = Intake(own=frozenset({OWN}), known=frozenset({OWN, THEIRS}))
    for _ in range(ROUNDS // 4):
        try:
            frame = decode(mutated(rng, rng.choice(BODIES)))
            records = list(decode_records(frame.records)) if isinstance(frame, Flows) else []
        except (FrameError, RecordRejected):
            continue
        assert decode(encode(frame)) == frame
        if rng.random() < 0.1:
            intake.begin()
            intake.remember([tcp(1), udp(2), udp(9)])
        for change in intake.take(records):
            check(change)
        if rng.random() < 0.1:
            for drop in intake.end():
                check(drop)


def check(change: Put | Add | Replace | Drop) -> None:
    """Of frontends that are here only what is not known is taken, of others that are not in the file nothing."""
    match change:
        case Add(flow):
            assert door_of(flow) == OWN
            requests = [conntrack.creation(flow, 1)]
        case Put(flow) | Replace(flow):
            assert door_of(flow) == THEIRS
            requests = [conntrack.creation(flow, 1), conntrack.update(flow, 2), conntrack.deletion(flow.key, 3)]
        case Drop(key):
            assert door_of(key) == THEIRS
            requests = [conntrack.deletion(key, 1)]
    for request in requests:
        assert int.from_bytes(request[:4], "little") == len(request) < 400


@pytest.mark.parametrize("seed", range(4))
def test_records_that_are_taken_are_said_again_in_no_more_bytes(seed: int) -> None:
    rng, data = random.Random(seed), encode_records(RECORDS)
    taken = 0
    for _ in range(ROUNDS // 4):
        try:
            found = list(decode_records(mutated(rng, data)))
        except RecordRejected:
            continue
        taken += 1
        assert list(decode_records(encode_records(found))) == found
        assert len(encode_records(found)) <= LONGEST_BYTES * len(found)
        assert all(one.gone or (one.flow.tcp is not None) == (one.flow.protocol == TCP) for one in found)
    assert taken > ROUNDS // 100


@pytest.mark.parametrize("seed", range(4))
def test_events_of_the_kernel(seed: int) -> None:
    rng = random.Random(seed)
    outbox = Outbox(waiting_limit=50, told_limit=200)
    outbox.open({OWN, THEIRS}, 0.0)
    events = [conntrack.creation(one, 1) for one in (tcp(1), udp(2))] + [conntrack.deletion(tcp(1).key, 1)]
    for number in range(ROUNDS // 4):
        datagram = mutated(rng, b"".join(rng.choice(events) for _ in range(rng.randint(1, 4))))
        list(conntrack.refusals_in(datagram)), conntrack.is_end(datagram)
        for told in conntrack.told_in(datagram):
            outbox.hear(told, float(number))
        outbox.hear(Told(tcp(number % 1000), gone=rng.random() < 0.3), float(number))
        if number % 20 == 0:
            batch = outbox.batch(30)
            assert batch is None or len(encode_records(batch.records)) <= LONGEST_BYTES * 30
        assert outbox.waiting <= 50
        assert outbox.told <= 200
