"""Orders to hold and to release, carried out on a fake table."""

import errno
import math
from ipaddress import IPv4Interface, IPv6Interface

import pytest

from vrrp.config import VirtualRouterConfig
from vrrp.linux.addresses import KernelAddresses
from vrrp.ports import AddressOrder

VIP = IPv4Interface("192.0.2.10/32")
OTHER = IPv4Interface("192.0.2.11/32")


VMAC = bytes.fromhex("00005e000133")


class FakeTable:
    def __init__(self):
        self.calls = []
        self.errors = {}

    def switch(self, index, *, on):
        self._call("switch", index, "on" if on else "off")

    def put(self, index, address, *, lease_s):
        self._call("put", index, str(address), lease_s)

    def remove(self, index, address):
        self._call("remove", index, str(address))

    def _call(self, *call):
        self.calls.append(call)
        if call[2] in self.errors:
            raise OSError(self.errors[call[2]], "refused")


class FakeVirtual:
    """Virtual interfaces that exist; 100 is added to the index."""

    def prepare(self, table, configs):
        table.calls.append(("prepare", *(config.name for config in configs)))

    def keep(self, table, configs):
        table.calls.append(("keep", *(config.name for config in configs)))

    def switch_on(self, table, index, mac, *, ipv6):
        assert (mac, ipv6) == (VMAC, False)
        table.switch(100 + index, on=True)
        return 100 + index

    def switch_off(self, table, index, mac):
        table.switch(100 + index, on=False)


class SameThread:
    """Does a job when it is submitted, or called for."""

    def __init__(self):
        self.table = FakeTable()

    def submit(self, key, job, *, done, failed):
        try:
            result = job(self.table)
        except Exception as error:
            failed(error)
        else:
            done(result)

    async def call(self, key, job):
        return job(self.table)


@pytest.fixture
def thread():
    return SameThread()


class FakeFencing:
    """Opens and closes among the calls of the table."""

    def __init__(self, table):
        self._table = table

    def open(self, order):
        self._table.calls.append(("open", order.router))

    def expect(self, configs):
        self._table.calls.append(("expect", *(config.name for config in configs)))

    def settle(self):
        self._table.calls.append(("settle",))

    def close(self, router):
        self._table.calls.append(("close", router))


@pytest.fixture
def book(thread):
    return KernelAddresses(thread, FakeFencing(thread.table))


def kernel_calls(thread):
    return [call for call in thread.table.calls if call[0] not in ("open", "close")]


def order(*addresses, serial=1, index=2, not_after=math.inf, router="lan", lease_s=1, virtual_mac=None):
    return AddressOrder(
        router=router,
        serial=serial,
        interface="eth0",
        index=index,
        addresses=addresses,
        lease_s=lease_s,
        virtual_mac=virtual_mac,
        accept=True,
        not_after=not_after,
    )


async def test_claim_then_release(book, thread):
    book.submit(order(VIP, OTHER))
    report = await book.next_report()
    assert (report.router, report.serial, report.held, report.error) == ("lan", 1, (VIP, OTHER), None)
    book.submit(order(serial=2))
    report = await book.next_report()
    assert (report.serial, report.held, report.error) == (2, (), None)
    assert kernel_calls(thread) == [
        ("put", 2, "192.0.2.10/32", 1),
        ("put", 2, "192.0.2.11/32", 1),
        ("remove", 2, "192.0.2.10/32"),
        ("remove", 2, "192.0.2.11/32"),
    ]


async def test_release_of_nothing_touches_nothing(book, thread):
    book.submit(order())
    assert (await book.next_report()).held == ()
    assert kernel_calls(thread) == []


async def test_routers_do_not_share(book, thread):
    book.submit(order(VIP))
    book.submit(order(OTHER, router="wan", lease_s=None))
    book.submit(order(serial=2))
    assert kernel_calls(thread) == [
        ("put", 2, "192.0.2.10/32", 1),
        ("put", 2, "192.0.2.11/32", None),
        ("remove", 2, "192.0.2.10/32"),
    ]


async def test_what_was_put_on_elsewhere_is_removed_there(book, thread):
    book.submit(order(VIP, index=2))
    book.submit(order(VIP, index=5, serial=2))
    assert kernel_calls(thread)[1:] == [("remove", 2, "192.0.2.10/32"), ("put", 5, "192.0.2.10/32", 1)]


async def test_a_refusal_is_told_and_the_rest_is_done(book, thread):
    thread.table.errors["192.0.2.10/32"] = errno.EPERM
    book.submit(order(VIP, OTHER))
    report = await book.next_report()
    assert report.held == (OTHER,)
    assert report.error == "192.0.2.10/32 cannot be put on: refused"


async def test_a_vip_that_cannot_be_removed_is_still_held(book, thread):
    book.submit(order(VIP))
    await book.next_report()
    thread.table.errors["192.0.2.10/32"] = errno.EPERM
    book.submit(order(serial=2))
    report = await book.next_report()
    assert (report.held, report.error) == ((VIP,), "192.0.2.10/32 cannot be removed: refused")


async def test_a_claim_that_a_pause_has_overtaken_is_not_carried_out(book, thread):
    book.submit(order(VIP, not_after=0.0))
    report = await book.next_report()
    assert (report.held, kernel_calls(thread)) == ((), [])
    assert report.error == "a claim was not carried out: the process had been paused"


async def test_a_bug_is_raised_not_hidden(book, thread):
    thread.table.put = None
    book.submit(order(VIP))
    with pytest.raises(TypeError):
        await book.next_report()


async def test_with_a_virtual_mac_they_stand_on_the_virtual_interface(book, thread):
    book.virtual = FakeVirtual()
    book.submit(order(VIP, virtual_mac=VMAC))
    book.submit(order(serial=2, virtual_mac=VMAC))
    assert kernel_calls(thread) == [
        ("switch", 102, "on"),
        ("put", 102, "192.0.2.10/32", 1),
        ("remove", 102, "192.0.2.10/32"),
        ("switch", 102, "off"),
    ]
    assert [(await book.next_report()).held for _ in range(2)] == [(VIP,), ()]


async def test_without_its_virtual_interface_nothing_is_claimed(book, thread):
    book.virtual = FakeVirtual()
    thread.table.errors["on"] = errno.ENETDOWN
    book.submit(order(VIP, virtual_mac=VMAC))
    report = await book.next_report()
    assert (report.held, report.error) == ((), "no virtual interface on eth0: refused")
    assert ("put", 102, "192.0.2.10/32", 1) not in thread.table.calls


async def test_a_virtual_interface_that_stays_on_is_told(book, thread):
    book.virtual = FakeVirtual()
    thread.table.errors["off"] = errno.EPERM
    book.submit(order(virtual_mac=VMAC))
    assert (await book.next_report()).error == "virtual interface cannot be switched off: refused"


async def test_the_fence_is_open_from_before_a_vip_is_put_on_until_after_it_is_removed(book, thread):
    book.submit(order(VIP))
    book.submit(order(serial=2))
    assert thread.table.calls == [
        ("open", "lan"),
        ("put", 2, "192.0.2.10/32", 1),
        ("remove", 2, "192.0.2.10/32"),
        ("close", "lan"),
    ]


async def test_a_vip_that_goes_is_removed_before_one_that_comes_is_put_on(book, thread):
    book.submit(order(VIP))
    book.submit(order(OTHER, serial=2))
    assert kernel_calls(thread)[1:] == [("remove", 2, "192.0.2.10/32"), ("put", 2, "192.0.2.11/32", 1)]


async def test_with_another_prefix_length_a_vip_is_there_all_the_time(book, thread):
    wide = IPv4Interface("192.0.2.10/24")
    book.submit(order(VIP))
    book.submit(order(wide, serial=2))
    assert kernel_calls(thread)[1:] == [("put", 2, "192.0.2.10/24", 1), ("remove", 2, "192.0.2.10/32")]
    assert [(await book.next_report()).held for _ in range(2)] == [(VIP,), (wide,)]


async def test_an_ipv6_address_cannot_be_there_twice(book, thread):
    narrow, wide = IPv6Interface("fd99::10/128"), IPv6Interface("fd99::10/64")
    book.submit(order(narrow))
    book.submit(order(wide, serial=2))
    assert kernel_calls(thread)[1:] == [("remove", 2, "fd99::10/128"), ("put", 2, "fd99::10/64", 1)]


async def test_a_vip_that_another_router_was_given_meanwhile_stays(book, thread):
    book.submit(order(VIP, OTHER))
    book.submit(order(OTHER, router="wan"))
    book.submit(order(VIP, serial=2))
    assert ("remove", 2, "192.0.2.11/32") not in thread.table.calls
    assert [(await book.next_report()).held for _ in range(3)] == [(VIP, OTHER), (OTHER,), (VIP,)]


async def test_others_are_expected_and_what_they_do_not_need_is_let_go_of(book, thread):
    lan = VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.10/24"),))
    book.virtual = FakeVirtual()
    told = []
    book.on_expected = lambda: told.append("expected")
    await book.expect([lan])
    book.settle()
    assert thread.table.calls == [("expect", "lan"), ("prepare", "lan"), ("settle",), ("keep", "lan")]
    assert told == ["expected"]
