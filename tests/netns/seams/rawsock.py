"""Raw sockets of both families, multicast and unicast."""

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
import trio
from lan import PEER_MAC, VMAC, VMAC6, main
from trio.testing import wait_all_tasks_blocked

from vrrp.advertisement import GROUP, GROUP6
from vrrp.linux.macvlan import VirtualInterfaces
from vrrp.linux.rawsock import RawAdvertSockets


def ns_own_adverts_are_not_heard(lan):
    """IP_MULTICAST_LOOP is off; a second socket of this machine hears nothing."""
    lan.up()

    async def main():
        one, other = (RawAdvertSockets().open(lan.interface(), 4) for _ in range(2))
        one.send(b"anything", source=IPv4Address("10.99.0.1"), destination=GROUP)
        await trio.sleep(0.05)
        assert (one.receive(), other.receive()) == (None, None)
        lan.inject(1)
        with trio.fail_after(1):
            await other.wait_readable()
        assert (other.receive().ttl, one.receive().payload[2]) == (255, 1)
        one.close()
        other.close()

    trio.run(main)


def ns_closing_a_socket_wakes_its_reader(lan):
    """Else a loop would wait for ever on an interface that is gone."""
    lan.up()

    async def main():
        sock = RawAdvertSockets().open(lan.interface(), 4)
        async with trio.open_nursery() as nursery:

            async def read():
                with pytest.raises(trio.ClosedResourceError):
                    await sock.wait_readable()

            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            sock.close()

    trio.run(main)


def joined(group):
    return group in Path("/proc/net/igmp6").read_text()


def ns_ipv6(lan):
    """What is sent and received: group and peers, source, hop limits, traffic class. None of it is looped."""
    lan.up("fd00:99::1/64")
    link_local = lan.link_local()
    lan.ipr.neigh("add", dst="fd00:99::200", lladdr=PEER_MAC.hex(":"), ifindex=lan.index["v0"])

    async def main():
        one, other = (RawAdvertSockets().open(lan.interface(), 6) for _ in range(2))
        assert joined("ff020000000000000000000000000012")
        one.send(b"12345678", source=link_local, destination=GROUP6)
        one.send(b"87654321", source=IPv6Address("fd00:99::1"), destination=IPv6Address("fd00:99::200"))
        await trio.sleep(0.05)
        assert (one.receive(), other.receive()) == (None, None)
        to_group, to_peer = lan.adverts()
        assert to_group[:14].hex() == "333300000012" + lan.mac().hex() + "86dd"
        assert (to_group[14:16].hex()[:3], to_group[20:22].hex()) == ("6c0", "70ff")
        assert to_group[22:54] == link_local.packed + GROUP6.packed
        assert to_group[54:62] == b"12345678"
        assert (to_peer[:6], to_peer[14:16].hex()[:3], to_peer[20:22].hex()) == (PEER_MAC, "6c0", "70ff")
        assert to_peer[54:62] == b"87654321"
        lan.inject6(1)
        lan.inject6(2, source="fd00:99::200", destination="fd00:99::1", hop_limit=64)
        with trio.fail_after(1):
            await other.wait_readable()
        group, peer = other.receive(), other.receive()
        assert (group.source, group.destination, group.ttl) == (IPv6Address("fe80::b"), GROUP6, 255)
        assert (peer.source, peer.destination, peer.ttl) == (IPv6Address("fd00:99::200"), IPv6Address("fd00:99::1"), 64)
        assert (group.payload[2], peer.payload[2], len(peer.payload)) == (1, 2, 40)
        one.close()
        other.close()

    trio.run(main)


def ns_unicast(lan):
    """IPv4 to a peer, from a source of our choice, and from one."""
    lan.up("10.99.0.1/24", "10.99.0.9/24")
    lan.ipr.neigh("add", dst="10.99.0.200", lladdr=PEER_MAC.hex(":"), ifindex=lan.index["v0"])

    async def main():
        sock = RawAdvertSockets().open(lan.interface(), 4)
        peer = IPv4Address("10.99.0.200")
        sock.send(b"12345678", source=IPv4Address("10.99.0.9"), destination=peer)
        await trio.sleep(0.05)
        (sent,) = lan.adverts()
        assert (sent[:6], sent[15], sent[22]) == (PEER_MAC, 0xC0, 255)
        assert sent[26:34] == bytes((10, 99, 0, 9, 10, 99, 0, 200))
        lan.inject(3, destination="10.99.0.1", ttl=64)
        with trio.fail_after(1):
            await sock.wait_readable()
        received = sock.receive()
        assert (received.source, received.destination, received.ttl) == (peer, IPv4Address("10.99.0.1"), 64)
        sock.close()

    trio.run(main)


def ns_an_interface_that_is_gone(lan):
    """Opening fails in the kernel's words."""
    lan.up()
    interface = lan.interface()
    lan.ipr.link("del", index=lan.index["v0"])
    for family in (4, 6):
        with pytest.raises(OSError, match="No such device"):
            RawAdvertSockets().open(interface, family)


def ns_adverts_of_a_rival_with_the_same_virtual_mac(lan):
    """They are heard although a virtual interface of ours has that MAC address."""
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    virtual = VirtualInterfaces()
    for mac in (VMAC, VMAC6):
        virtual.switch_on(lan.table, lan.index["v0"], mac, ipv6=True)

    async def main():
        for family, inject, mac in ((4, lan.inject, VMAC), (6, lan.inject6, VMAC6)):
            sock = RawAdvertSockets().open(lan.interface(), family)
            inject(7, mac=mac)
            with trio.fail_after(1):
                await sock.wait_readable()
            assert sock.receive().payload[2] == 7
            sock.close()

    trio.run(main)


if __name__ == "__main__":
    main(globals())
