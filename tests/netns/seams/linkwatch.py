"""What is told of interfaces."""

import socket
from ipaddress import IPv4Interface, IPv6Interface

import trio
from lan import main, set_sysctl

from vrrp.interfaces import HeldAddress
from vrrp.linux.linkwatch import LinkWatch
from vrrp.linux.netlink import NetlinkThread


def ns_lost_events(lan):
    """When the kernel drops events (ENOBUFS), everything is looked at again."""
    lan.up()

    async def main():
        thread = NetlinkThread()
        watch = LinkWatch({"v0"}, thread=thread)
        await watch.listen()
        watch._socket.setsockopt(socket.SOL_SOCKET, 33, 4096)  # SO_RCVBUFFORCE: room for a few events only
        assert (await watch.next_change()).addresses[0] == HeldAddress(IPv4Interface("10.99.0.1/24"))
        for number in range(2, 250):
            lan.add(f"10.99.1.{number}/32")
        with trio.fail_after(5):
            while len((await watch.next_change()).addresses) < 250:
                pass
        watch.close()
        await thread.close(limit_s=1)

    trio.run(main)


def ns_both_families_and_interfaces_without_routers(lan):
    """Addresses of both families, on any interface whose name is given, as they come and go."""
    lan.up()

    async def main():
        thread = NetlinkThread()
        watch = LinkWatch({"v0", "lo"}, thread=thread)
        await watch.listen()
        first = {interface.name: interface for interface in [await watch.next_change(), await watch.next_change()]}
        assert HeldAddress(IPv6Interface("::1/128")) in first["lo"].addresses
        vip = HeldAddress(IPv6Interface("fd00:99::100/128"), ours=True)
        lan.table.put(lan.index["v0"], vip.address, lease_s=1)
        with trio.fail_after(5):
            while vip not in (await watch.next_change()).addresses:
                pass
            while vip in (await watch.next_change()).addresses:  # its lease ends
                pass
            lan.set("lo", "down")
            assert not (await watch.next_change()).up
        watch.close()
        await thread.close(limit_s=1)

    trio.run(main)


def ns_other_interfaces(lan):
    """What is known of any interface can be asked for at once; from then on it is told of."""
    lan.up()

    async def main():
        thread = NetlinkThread()
        watch = LinkWatch({"v0"}, thread=thread)
        await watch.listen()
        await watch.next_change()
        assert watch.current("lo").up
        assert watch.current("v9").index == 0
        watch.watch({"lo"})
        lan.set("v0", "down")
        lan.set("lo", "down")
        with trio.fail_after(5):
            while (told := await watch.next_change()).up:
                pass
        assert told.name == "lo"
        assert not watch.current("v0").up
        watch.close()
        await thread.close(limit_s=1)

    trio.run(main)


def ns_received_packets(lan):
    """It counts what comes in, and costs little."""
    lan.up()
    watch_of = LinkWatch.received_packets
    before = watch_of(None, "v0")
    for _ in range(5):
        lan.inject(100)
    assert watch_of(None, "v0") >= before + 5
    assert watch_of(None, "v9") == 0


def ns_tentative(lan):
    """Duplicate address detection can be seen, and its end."""
    set_sysctl("ipv6/conf/v0/accept_dad", 1)
    set_sysctl("ipv6/conf/v0/dad_transmits", 1)
    lan.up()

    async def main():
        thread = NetlinkThread()
        watch = LinkWatch({"v0"}, thread=thread)
        await watch.listen()
        seen = []
        with trio.fail_after(5):
            while not seen or seen[-1] != [False]:
                interface = await watch.next_change()
                seen.append([held.tentative for held in interface.addresses if held.address.version == 6])
        assert [True] in seen
        watch.close()
        await thread.close(limit_s=1)

    trio.run(main)


if __name__ == "__main__":
    main(globals())
