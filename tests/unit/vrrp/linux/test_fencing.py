"""Which VIPs are fenced, open and closed, and what is said where there is no fence. A fence that takes notes."""

import errno
import logging
import math
import socket
from collections.abc import Collection
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from vrrp.config import Address, VirtualRouterConfig
from vrrp.linux import fencing as module
from vrrp.linux.fence import FenceUnavailable
from vrrp.linux.fencing import Fencing, remove_fence
from vrrp.ports import AddressOrder
from vrrp.snapshot import FenceSnapshot

VIP, OTHER = IPv4Address("192.0.2.100"), IPv4Address("192.0.2.101")
LAN = VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.100/24"),))
DMZ = replace(LAN, name="dmz", vrid=52, addresses=(IPv4Interface("192.0.2.101/24"),), accept=False)
SIX = replace(LAN, name="six", addresses=(IPv6Interface("fe80::10/64"), IPv6Interface("2001:db8::10/64")))
OWNER = replace(LAN, name="owner", vrid=53, addresses=(IPv4Interface("192.0.2.1/24"),), priority=255)


class FakeFence:
    """What is used of a Fence."""

    def __init__(self, vips: Collection[Address], *, only_from: Any = None, not_accepted: Any = ()) -> None:
        self._take(vips, only_from, not_accepted)
        self.calls: list[Any] = []
        self.error: Exception | None = None
        self.restored = 0
        self.near, self.far = socket.socketpair(type=socket.SOCK_DGRAM)
        self.near.setblocking(False)

    def _call(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    def _take(self, vips: Collection[Address], only_from: Any, not_accepted: Any) -> None:
        self.vips, self.only_from, self.not_accepted = set(vips), dict(only_from or {}), set(not_accepted)

    def install(self) -> None:
        self._call("install")

    def replan(self, vips: Collection[Address], *, only_from: Any, not_accepted: Any) -> None:
        self._call("replan", *sorted(map(str, vips)))
        self._take(vips, only_from, not_accepted)

    def open(self, vips: Collection[Address]) -> None:
        self._call("open", *map(str, vips))

    def close(self, vips: Collection[Address]) -> None:
        self._call("close", *map(str, vips))

    def reinstall_if_missing(self) -> bool:
        self._call("look")
        self.restored += 1
        return True

    def remove(self) -> None:
        self._call("remove")

    def disown(self) -> None:
        self._call("disown")

    def events(self) -> socket.socket:
        return self.near

    def is_gone(self, data: bytes) -> bool:
        return data == b"flushed"


class Bench:
    """A fencing whose fences are fakes; `error` is what the next one meets when it is installed."""

    def __init__(self, *configs: VirtualRouterConfig) -> None:
        self.fences: list[FakeFence] = []
        self.error: Exception | None = None
        self.fencing = Fencing(configs, self._make)  # type: ignore[arg-type]

    def _make(self, *args: Any, **kwargs: Any) -> FakeFence:
        fence = FakeFence(*args, **kwargs)
        fence.error = self.error
        self.fences.append(fence)
        return fence

    @property
    def fence(self) -> FakeFence:
        return self.fences[-1]

    def leave(self) -> None:
        for fence in self.fences:
            fence.near.close()
            fence.far.close()


@pytest.fixture
def make_bench():
    made = []

    def make(*configs: VirtualRouterConfig) -> Bench:
        made.append(Bench(*configs))
        return made[-1]

    yield make
    for bench in made:
        bench.leave()


def order(config: VirtualRouterConfig, index: int = 2) -> AddressOrder:
    return AddressOrder(
        router=config.name, serial=1, interface=config.interface, index=index, addresses=config.all_addresses,
        lease_s=1, virtual_mac=config.virtual_mac_address if config.virtual_mac else None, accept=config.accept,
        not_after=math.inf,
    )  # fmt: skip


def test_every_vip_is_fenced_and_none_open(make_bench):
    excluded = replace(LAN, excluded_addresses=(IPv6Interface("2001:db8::20/64"),))
    bench = make_bench(excluded, DMZ)
    assert bench.fencing.snapshot() == FenceSnapshot(obstacle="it is not built yet", restored=0)
    bench.fencing.build()
    assert bench.fence.vips == {VIP, IPv6Address("2001:db8::20"), OTHER}
    assert bench.fence.not_accepted == {OTHER}
    assert bench.fence.only_from == {}
    assert bench.fence.calls == [("install",)]
    assert bench.fencing.snapshot() == FenceSnapshot(obstacle=None, restored=0)


def test_a_link_local_vip_is_fenced_on_its_own_interface(make_bench):
    bench = make_bench(SIX)
    bench.fencing.build()
    assert bench.fence.vips == {IPv6Address("fe80::10%eth0"), IPv6Address("2001:db8::10")}


def test_an_owners_own_addresses_are_never_fenced(make_bench):
    bench = make_bench(OWNER, LAN)
    bench.fencing.build()
    bench.fencing.open(order(OWNER))
    bench.fencing.close("owner")
    assert bench.fence.vips == {VIP}
    assert bench.fence.calls == [("install",)]


def test_a_node_of_owners_needs_no_fence_and_misses_none(make_bench):
    bench = make_bench(OWNER)
    bench.fencing.build()
    assert bench.fences == []
    assert bench.fencing.snapshot() == FenceSnapshot(obstacle=None, restored=0)


def test_open_and_closed_with_the_addresses(make_bench):
    bench = make_bench(LAN, DMZ)
    bench.fencing.build()
    bench.fencing.open(order(LAN))
    bench.fencing.open(order(LAN))
    bench.fencing.close("lan")
    assert bench.fence.calls[1:] == [("open", "192.0.2.100"), ("open", "192.0.2.100"), ("close", "192.0.2.100")]


def test_a_virtual_mac_address_speaks_from_its_own_interface_alone(make_bench):
    """The interface is known when it is made: the fence is planned anew around it, and what is open stays so."""
    bench = make_bench(replace(LAN, virtual_mac=True), DMZ)
    bench.fencing.build()
    bench.fencing.open(order(replace(LAN, virtual_mac=True), index=10))
    vips = ("192.0.2.100", "192.0.2.101")
    assert bench.fence.only_from == {VIP: "vrrp4-51-a"}
    assert bench.fence.calls == [("install",), ("replan", *vips), ("open", "192.0.2.100")]
    bench.fencing.open(order(replace(LAN, virtual_mac=True), index=10))
    assert bench.fence.calls[3:] == [("open", "192.0.2.100")]
    bench.fencing.open(order(replace(LAN, virtual_mac=True), index=11))
    assert bench.fence.only_from == {VIP: "vrrp4-51-b"}
    assert len(bench.fences) == 1


WIDER = replace(
    LAN, addresses=(IPv4Interface("192.0.2.103/24"),), excluded_addresses=(IPv4Interface("192.0.2.104/24"),)
)
THIRD, FOURTH = IPv4Address("192.0.2.103"), IPv4Address("192.0.2.104")


def test_other_vips_are_fenced_beside_those_before_until_these_have_been_let_go_of(make_bench):
    bench = make_bench(LAN, DMZ)
    bench.fencing.build()
    bench.fencing.open(order(LAN))
    bench.fencing.expect([WIDER])
    assert bench.fence.vips == {VIP, OTHER, THIRD, FOURTH}
    assert bench.fence.not_accepted == {OTHER}
    bench.fencing.open(order(WIDER))
    bench.fencing.settle()
    assert (bench.fence.vips, bench.fence.not_accepted) == ({THIRD, FOURTH}, set())
    assert bench.fence.calls == [
        ("install",),
        ("open", "192.0.2.100"),
        ("replan", "192.0.2.100", "192.0.2.101", "192.0.2.103", "192.0.2.104"),
        ("open", "192.0.2.103", "192.0.2.104"),
        ("replan", "192.0.2.103", "192.0.2.104"),
    ]


def test_a_vip_that_is_accepted_now_is_let_in_at_once(make_bench):
    bench = make_bench(DMZ)
    bench.fencing.build()
    bench.fencing.expect([replace(DMZ, accept=True)])
    assert (bench.fence.vips, bench.fence.not_accepted) == ({OTHER}, set())


def test_a_virtual_interface_is_remembered_while_its_router_is_the_same(make_bench):
    virtual = replace(LAN, virtual_mac=True)
    bench = make_bench(virtual)
    bench.fencing.build()
    bench.fencing.open(order(virtual, index=10))
    bench.fencing.expect([replace(virtual, priority=50)])
    assert bench.fence.only_from == {VIP: "vrrp4-51-a"}
    bench.fencing.expect([replace(virtual, vrid=52)])
    bench.fencing.settle()
    assert bench.fence.only_from == {}
    bench.fencing.expect([])
    bench.fencing.settle()
    assert bench.fence.vips == set()


def test_the_first_router_of_a_node_gets_a_fence_that_wants_a_guard(make_bench):
    bench = make_bench(OWNER)
    bench.fencing.build()
    assert not bench.fencing.is_unguarded
    bench.fencing.expect([OWNER, LAN])
    assert bench.fence.calls == [("install",)]
    assert bench.fencing.is_unguarded


def test_a_link_local_vip_with_a_virtual_mac_address_is_fenced_where_it_stands(make_bench):
    six = replace(SIX, virtual_mac=True)
    bench = make_bench(six)
    bench.fencing.build()
    bench.fencing.open(order(six, index=2))
    where = IPv6Address("fe80::10%vrrp6-51-2")
    assert bench.fence.vips == {where, IPv6Address("2001:db8::10")}
    assert bench.fence.only_from == {where: "vrrp6-51-2", IPv6Address("2001:db8::10"): "vrrp6-51-2"}


@pytest.mark.parametrize(
    ("error", "obstacle"),
    [
        (FenceUnavailable("this kernel has no nftables"), "this kernel has no nftables"),
        (
            PermissionError(errno.EPERM, "Operation not permitted"),
            "the kernel refused nftables: Operation not permitted",
        ),
    ],
)
def test_without_a_fence_it_says_why_once_and_the_vips_go_on(make_bench, caplog, error, obstacle):
    bench = make_bench(LAN)
    bench.error = error
    with caplog.at_level(logging.WARNING):
        bench.fencing.build()
        bench.fencing.open(order(LAN))
        bench.fencing.close("lan")
        bench.fencing.mend()
    assert bench.fencing.snapshot() == FenceSnapshot(obstacle=obstacle, restored=0)
    assert [record.message for record in caplog.records] == ["no fence"]


def test_an_errno_that_nobody_expected_is_a_bug_and_rises(make_bench):
    bench = make_bench(LAN)
    bench.error = OSError(errno.EBADF, "Bad file descriptor")
    with pytest.raises(OSError, match="Bad file descriptor"):
        bench.fencing.build()


def test_what_fails_later_is_said_until_it_works_again(make_bench):
    bench = make_bench(LAN)
    bench.fencing.build()
    bench.fence.error = OSError(errno.ENOMEM, "Cannot allocate memory")
    bench.fencing.open(order(LAN))
    assert bench.fencing.snapshot().obstacle == "the kernel refused nftables: Cannot allocate memory"
    bench.fence.error = FenceUnavailable("this kernel has no nftables")
    bench.fencing.close("lan")
    assert bench.fencing.snapshot().obstacle == "this kernel has no nftables"
    bench.fence.error = None
    bench.fencing.open(order(LAN))
    assert bench.fencing.snapshot().obstacle is None


def test_mending_is_counted(make_bench, monkeypatch):
    monkeypatch.setattr(module, "Fence", FakeFence)
    bench = make_bench(LAN)
    bench.fencing.build()
    bench.fencing.mend()
    assert bench.fence.calls == [("install",), ("look",)]
    assert bench.fencing.snapshot() == FenceSnapshot(obstacle=None, restored=1)


def test_a_stop_for_good_removes_it(make_bench, monkeypatch):
    monkeypatch.setattr(module, "Fence", FakeFence)
    bench = make_bench(LAN)
    bench.fencing.build()
    bench.fencing.remove()
    bench.fencing.open(order(LAN))
    bench.fencing.remove()
    assert bench.fence.calls == [("install",), ("remove",), ("disown",)]


async def test_a_guard_looks_after_every_flush(make_bench):
    bench = make_bench(LAN)
    bench.fencing.build()
    mended = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.fencing.stand_guard, lambda: mended.append("mend"))
        for said, expected in [(b"our own change", 0), (b"flushed", 1), (b"something else", 1), (b"flushed", 2)]:
            bench.fence.far.send(said)
            await _until_read(bench.fence)
            assert len(mended) == expected
        nursery.cancel_scope.cancel()


async def test_events_that_were_lost_are_reason_enough_to_look(make_bench):
    bench = make_bench(LAN)
    bench.fencing.build()
    events = bench.fence.near = OverrunSocket(bench.fence.near)
    mended = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.fencing.stand_guard, lambda: mended.append("mend"))
        events.error = OSError(errno.ENOBUFS, "No buffer space available")
        bench.fence.far.send(b"")
        await _until_read(bench.fence)
        nursery.cancel_scope.cancel()
    assert mended == ["mend"]


async def test_without_a_fence_there_is_nothing_to_guard(make_bench):
    bench = make_bench(LAN)
    bench.error = FenceUnavailable("this kernel has no nftables")
    bench.fencing.build()
    with trio.fail_after(1):
        await bench.fencing.stand_guard(lambda: None)


class OverrunSocket(socket.socket):
    """Its next recv reports `error`, and takes what is there."""

    error: OSError | None = None

    def __init__(self, real: socket.socket) -> None:
        super().__init__(fileno=real.detach())
        self.setblocking(False)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data = super().recv(size, flags)
        if self.error is not None:
            raise self.error
        return data


async def _until_read(fence: FakeFence) -> None:
    """Until the guard has read what was sent: to be idle is to wait in poll, so both must be so."""
    await trio.lowlevel.wait_writable(fence.far)
    await wait_all_tasks_blocked(0.01)


@pytest.mark.parametrize("error", [None, FenceUnavailable("this kernel has no nftables")])
def test_what_a_dead_announcer_left_is_removed(monkeypatch, error):
    made = []

    def make(vips):
        made.append(FakeFence(vips))
        made[-1].error = error
        return made[-1]

    monkeypatch.setattr(module, "Fence", make)
    remove_fence()
    assert [(fence.vips, fence.calls) for fence in made] == [(set(), [("remove",)])]
    for fence in made:
        fence.near.close()
        fence.far.close()
