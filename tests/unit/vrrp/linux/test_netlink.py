"""Netlink messages become changes; jobs are done in turn, the newest of a key only. Needs no privileges."""

import threading
from ipaddress import IPv4Interface, IPv6Interface

import pytest
import trio
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from vrrp.interfaces import HeldAddress
from vrrp.linux import netlink
from vrrp.linux.netlink import AddressAdded, AddressGone, Link, LinkGone, NetlinkThread, changes_in

NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE = 16, 17, 20, 21, 24
UP, RUNNING = 0x1, 0x40


def link_message(kind, *, family=0, flags=UP | RUNNING, mac="02:00:00:00:00:0a", attrs=()):
    message = ifinfmsg()
    message["header"]["type"] = kind
    message["family"], message["index"], message["flags"] = family, 3, flags
    message["attrs"] = [("IFLA_IFNAME", "eth0")] + ([("IFLA_ADDRESS", mac)] if mac else []) + [*attrs]
    message.encode()
    return bytes(message.data)


def address_message(kind, *, family=2, proto=None, flags=0, address="192.0.2.10"):
    message = ifaddrmsg()
    message["header"]["type"] = kind
    message["family"], message["index"], message["prefixlen"], message["flags"] = family, 3, 24, flags
    message["attrs"] = [("IFA_ADDRESS", address), ("IFA_LOCAL", address)]
    if proto is not None:
        message["attrs"].append(("IFA_PROTO", proto))
    message.encode()
    return bytes(message.data)


def ipv6_message(kind=NEWADDR, **fields):
    return address_message(kind, family=10, address="2001:db8::10", **fields)


VIP = IPv4Interface("192.0.2.10/24")
VIP6 = IPv6Interface("2001:db8::10/24")
DUPLICATE = HeldAddress(VIP6, tentative=True, dadfailed=True)
MAC = bytes.fromhex("02000000000a")


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        pytest.param(link_message(NEWLINK), [Link(3, "eth0", True, MAC)], id="link"),
        pytest.param(link_message(NEWLINK, flags=UP), [Link(3, "eth0", False, MAC)], id="no carrier"),
        pytest.param(link_message(NEWLINK, flags=RUNNING), [Link(3, "eth0", False, MAC)], id="switched off"),
        pytest.param(link_message(NEWLINK, mac=None), [Link(3, "eth0", True, b"")], id="no MAC told"),
        pytest.param(link_message(DELLINK), [LinkGone(3)], id="link gone"),
        pytest.param(link_message(DELLINK, family=7), [], id="left a bridge: not gone"),
        pytest.param(address_message(NEWADDR), [AddressAdded(3, HeldAddress(VIP))], id="address"),
        pytest.param(address_message(NEWADDR, proto=99), [AddressAdded(3, HeldAddress(VIP, True))], id="our tag"),
        pytest.param(address_message(NEWADDR, proto=3), [AddressAdded(3, HeldAddress(VIP))], id="another's tag"),
        pytest.param(
            address_message(NEWADDR, flags=1), [AddressAdded(3, HeldAddress(VIP, False, True))], id="secondary"
        ),
        pytest.param(address_message(DELADDR), [AddressGone(3, VIP)], id="address gone"),
        pytest.param(ipv6_message(), [AddressAdded(3, HeldAddress(VIP6))], id="IPv6"),
        pytest.param(ipv6_message(flags=0x40), [AddressAdded(3, HeldAddress(VIP6, tentative=True))], id="tentative"),
        pytest.param(ipv6_message(flags=0x48), [AddressAdded(3, DUPLICATE)], id="someone else has it"),
        pytest.param(ipv6_message(flags=0x01), [AddressAdded(3, HeldAddress(VIP6))], id="temporary is not secondary"),
        pytest.param(ipv6_message(DELADDR), [AddressGone(3, VIP6)], id="IPv6 address gone"),
        pytest.param(address_message(NEWADDR, family=28, address="192.0.2.1"), [], id="a family that is not ours"),
        pytest.param(
            link_message(NEWLINK, attrs=[("IFLA_LINK", 2), ("IFLA_IFALIAS", "hapair virtual router")]),
            [Link(3, "eth0", True, MAC, 2, True)],
            id="our virtual interface",
        ),
        pytest.param(
            link_message(NEWLINK, attrs=[("IFLA_LINK", 2), ("IFLA_IFALIAS", "hapair")]),
            [Link(3, "eth0", True, MAC)],
            id="another's",
        ),
        pytest.param(address_message(NEWROUTE), [], id="something else"),
        pytest.param(b"\0" * 8, [], id="too short"),
    ],
)
def test_changes_in_a_datagram(data, changes):
    assert list(changes_in(data)) == changes


class FakeTable:
    closed = 0

    def close(self):
        FakeTable.closed += 1


@pytest.fixture
async def thread(monkeypatch):
    monkeypatch.setattr(netlink, "AddressTable", FakeTable)
    FakeTable.closed = 0
    thread = NetlinkThread()
    yield thread
    await thread.close(limit_s=1.0)


async def test_a_result_comes_back(thread):
    assert await thread.call("sum", lambda table: 1 + 1) == 2


async def test_an_error_comes_back(thread):
    with pytest.raises(ZeroDivisionError):
        await thread.call("sum", lambda table: 1 // 0)


async def test_jobs_run_in_one_other_thread(thread):
    first = await thread.call("one", lambda table: threading.get_ident())
    assert first == await thread.call("other", lambda table: threading.get_ident())
    assert first != threading.get_ident()


async def test_a_newer_job_replaces_one_that_has_not_begun(thread):
    begun, go_on, done = threading.Event(), threading.Event(), []

    def block(table):
        begun.set()
        go_on.wait(5)

    thread.submit("block", block, done=lambda _: done.append("blocked"), failed=done.append)
    begun.wait(5)
    for name in ("claim", "release"):
        thread.submit("router", lambda table, name=name: name, done=done.append, failed=done.append)
    go_on.set()
    await thread.call("last", lambda table: None)
    assert done == ["blocked", "release"]


async def test_what_is_queued_is_done_before_closing(monkeypatch):
    monkeypatch.setattr(netlink, "AddressTable", FakeTable)
    FakeTable.closed = 0
    thread, done = NetlinkThread(), []
    for number in range(3):
        thread.submit(str(number), lambda table, number=number: done.append(number), done=bool, failed=done.append)
    await thread.close(limit_s=5.0)
    assert (done, FakeTable.closed) == ([0, 1, 2], 1)
    await trio.lowlevel.checkpoint()
