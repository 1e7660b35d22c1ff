"""Any bytes are a message or a WireError; any message comes back as it was, however its bytes are cut."""

import json
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Interface
from itertools import pairwise
from typing import Any

import trio
from hypothesis import given
from hypothesis import strategies as st

from balancer.standing import Standing
from hapair.channel import Channel, ChannelClosedError
from hapair.messages import (
    FROM_ANNOUNCER,
    FROM_WORKER,
    TO_ANNOUNCER,
    TO_WORKER,
    Drain,
    FrontendRole,
    LowerPriority,
    Resign,
    RouterReport,
    ServerStanding,
    StartRouters,
)
from hapair.wire import WireError, decode, encode
from vrrp.config import VirtualRouterConfig
from vrrp.snapshot import RouterSnapshot

KNOWN = {kind.__name__: kind for kind in (*TO_ANNOUNCER, *FROM_ANNOUNCER, *TO_WORKER, *FROM_WORKER)}

NAMES = st.text(min_size=1, max_size=10)
ROUTERS = st.builds(
    VirtualRouterConfig,
    name=NAMES,
    vrid=st.integers(1, 255),
    interface=st.sampled_from(["eth0", "end0", "br-lan"]),
    addresses=st.lists(st.integers(1, 250), min_size=1, max_size=5, unique=True).map(
        lambda hosts: tuple(IPv4Interface(f"192.0.2.{host}/24") for host in hosts)
    ),
    priority=st.integers(1, 255),
    advertisement_interval_cs=st.integers(1, 4095),
    preempt=st.booleans(),
    checksum=st.sampled_from(["rfc5798", "rfc9568"]),
)
FLOATS = st.floats(allow_nan=False)
COUNTS = st.integers(0, 2**63)
SNAPSHOTS = st.builds(
    RouterSnapshot,
    name=NAMES,
    vrid=st.integers(1, 255),
    interface=NAMES,
    state=st.sampled_from(["Initialize", "Backup", "Active"]),
    priority=st.integers(0, 255),
    configured_priority=st.integers(1, 255),
    since_monotonic=FLOATS,
    waiting_for=st.none() | NAMES,
    vips=st.lists(NAMES).map(tuple),
    vips_held=st.lists(NAMES).map(tuple),
    lease_s=st.none() | st.integers(1, 200),
    lease_renewed_at=st.none() | FLOATS,
    active_router=st.none() | NAMES,
    transitions=COUNTS,
    adverts_sent=COUNTS,
    adverts_received=COUNTS,
    adverts_rejected=st.dictionaries(NAMES, COUNTS, max_size=4),
    unusual_checksums=COUNTS,
    send_errors=COUNTS,
    vips_restored=COUNTS,
    lateness_max_ms=FLOATS,
    last_reason=st.text(max_size=20),
)
STANDINGS = st.builds(
    Standing,
    up=st.booleans(),
    admin=st.sampled_from(["ready", "drain", "maint"]),
    weight=st.none() | st.integers(0, 256),
    age_s=st.none() | FLOATS,
)
MESSAGES = st.one_of(
    st.builds(StartRouters, routers=st.lists(ROUTERS, max_size=3).map(tuple)),
    st.builds(RouterReport, st.lists(SNAPSHOTS, max_size=3).map(tuple)),
    st.builds(Resign, st.text()),
    st.builds(LowerPriority, st.none() | st.integers(1, 255)),
    st.builds(FrontendRole, NAMES, st.booleans()),
    st.builds(ServerStanding, NAMES, NAMES, STANDINGS),
    st.builds(Drain, FLOATS),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_was(message: object) -> None:
    assert decode(encode(message), KNOWN) == message


@given(st.binary())
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    try:
        message = decode(data, KNOWN)
    except WireError:
        return
    assert type(message) in KNOWN.values()


@given(st.sampled_from(sorted(KNOWN)), JSON)
def test_any_body_is_a_message_or_a_wire_error(name: str, body: Any) -> None:
    try:
        message = decode(json.dumps({"type": name, "body": body}).encode(), KNOWN)
    except WireError:
        return
    assert type(message) is KNOWN[name]


@given(SNAPSHOTS, st.sampled_from(sorted(RouterSnapshot.__dataclass_fields__)), JSON)
def test_any_value_in_any_field_is_a_message_or_a_wire_error(snapshot: RouterSnapshot, field: str, value: Any) -> None:
    document = json.loads(encode(RouterReport((snapshot,))))
    document["body"]["routers"][0][field] = value
    try:
        message = decode(json.dumps(document).encode(), KNOWN)
    except WireError:
        return
    assert type(message) is RouterReport


@dataclass(frozen=True, slots=True)
class Delivery:
    received: list[object]
    problem: str


async def deliver(data: bytes, cuts: list[int]) -> Delivery:
    """What a channel makes of these bytes when they come in pieces."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours, list(KNOWN.values()))
    received: list[object] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    sender = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))

    async def send() -> None:
        async with sender:
            for start, end in pairwise(edges):
                if end > start:
                    await sender.send_all(data[start:end])
                await trio.lowlevel.checkpoint()

    problem = ""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        try:
            while True:
                received.append((await channel.receive())[0])
        except (ChannelClosedError, WireError) as error:
            problem = type(error).__name__
            nursery.cancel_scope.cancel()
    channel.close()
    await sender.aclose()
    return Delivery(received, problem)


def frame(message: object) -> bytes:
    body = encode(message)
    return struct.pack("!IH", len(body), 0) + body


@given(st.lists(MESSAGES, max_size=4), st.lists(st.integers(0, 10_000), max_size=12))
def test_cuts_change_nothing(messages: list[object], cuts: list[int]) -> None:
    data = b"".join(frame(message) for message in messages)
    assert trio.run(deliver, data, cuts) == Delivery(messages, "ChannelClosedError")


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_end_in_an_error_and_no_surprise(data: bytes, cuts: list[int]) -> None:
    delivery = trio.run(deliver, data, cuts)
    assert delivery.problem in ("ChannelClosedError", "WireError")
