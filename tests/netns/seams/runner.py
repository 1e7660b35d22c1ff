"""Whole routers on a real kernel."""

import signal
import socket
import subprocess
import sys
import time
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import trio
from lan import (
    PEER_MAC,
    VMAC,
    VMAC6,
    Machine,
    config,
    config6,
    is_advert,
    main,
    run_router,
    run_until_killed,
    set_sysctl,
    state,
    until,
    wait_for,
)

VIP = IPv4Address("10.99.0.100")


def joined(group):
    return group in Path("/proc/net/igmp").read_text()


def ns_active(lan):
    """It joins, waits, advertises, claims, announces; and leaves in good order."""

    async def scenario(lan, runner, states):
        assert state(runner) == "Backup"
        assert joined("120000E0")  # rule 41: before any timer
        await until(lambda: runner.snapshot()[0].vips_held)
        assert lan.addresses() == {"10.99.0.1/24": None, "10.99.0.100/32": 99}
        await trio.sleep(0.15)
        frames = lan.frames()
        advert, arps = frames[0], [frame for frame in frames if frame[12:14] == b"\x08\x06"]
        assert advert[:6].hex() == "01005e000012"
        assert advert[6:12] == lan.mac()  # rule 2 without a virtual MAC
        assert (advert[15], advert[22], advert[23]) == (0xC0, 255, 112)
        assert advert[26:34] == bytes((10, 99, 0, 1, 224, 0, 0, 18))
        assert advert[34:38].hex() == "31336401"
        assert len(arps) == 5
        assert arps[0][6:12] == arps[0][22:28] == lan.mac()
        assert arps[0][28:32] == arps[0][38:42] == VIP.packed
        assert frames.index(arps[0]) > 0  # rule 26
        snapshot = runner.snapshot()[0]
        assert (snapshot.adverts_rejected, snapshot.adverts_received, snapshot.send_errors) == ({}, 0, 0)

    lan.up()
    run_router(lan, scenario)
    last = [frame for frame in lan.frames() if frame[12:14] == b"\x08\0"][-1]
    assert last[36] == 0  # the priority
    assert lan.addresses() == {"10.99.0.1/24": None}


def ns_renewed(lan):
    """A held VIP outlives its lease many times over, and the lease is short."""

    async def scenario(lan, runner, states):
        await until(lambda: runner.snapshot()[0].vips_held)
        for _ in range(60):
            await trio.sleep(0.05)
            assert "10.99.0.100/32" in lan.addresses()
        assert runner.snapshot()[0].vips_restored == 0

    lan.up()
    run_router(lan, scenario)


def ns_restored(lan):
    """A VIP that someone else deletes is back before a client notices."""

    async def scenario(lan, runner, states):
        await until(lambda: runner.snapshot()[0].vips_held)
        for _ in range(5):
            await trio.sleep(0.1)
            lan.delete("10.99.0.100/32")
            assert await until(lambda: "10.99.0.100/32" in lan.addresses()) < 0.1
        await trio.sleep(0.1)
        assert runner.snapshot()[0].vips_restored == 5
        assert state(runner) == "Active"

    lan.up()
    run_router(lan, scenario)


def ns_as_written(lan):
    """Where the interface has no address in the VIP's subnet, the VIP brings its subnet along."""

    async def scenario(lan, runner, states):
        await until(lambda: runner.snapshot()[0].vips_held)
        assert lan.addresses() == {"192.0.2.1/24": None, "10.99.0.100/24": 99, "10.99.0.101/32": 99}

    lan.up("192.0.2.1/24")
    addresses = (IPv4Interface("10.99.0.100/24"), IPv4Interface("10.99.0.101/24"))
    run_router(lan, scenario, config(addresses=addresses))
    assert lan.addresses() == {"192.0.2.1/24": None}


def ns_owner(lan):
    """An owner's own address is left as it is, before, while and after; one that is missing is put on for good."""

    async def scenario(lan, runner, states):
        await until(lambda: runner.snapshot()[0].vips_held)
        assert lan.addresses() == {"10.99.0.1/24": None, "10.99.0.2/24": 99}
        await trio.sleep(1.5)
        assert lan.addresses() == {"10.99.0.1/24": None, "10.99.0.2/24": 99}

    lan.up()
    owned = (IPv4Interface("10.99.0.1/24"), IPv4Interface("10.99.0.2/24"))
    run_router(lan, scenario, config(priority=255, addresses=owned))
    assert lan.addresses() == {"10.99.0.1/24": None}


def ns_received(lan):
    """What comes in is checked: TTL, VRID, checksum of both forms; a better router is yielded to."""

    async def scenario(lan, runner, states):
        await until(lambda: runner.snapshot()[0].vips_held)
        lan.inject(200, ttl=254)
        lan.inject(200, vrid=7)
        await until(lambda: runner.snapshot()[0].adverts_rejected == {"ttl": 1, "vrid": 1})
        assert state(runner) == "Active"
        lan.inject(200, checksum="rfc9568")
        await until(lambda: state(runner) == "Backup")
        assert runner.snapshot()[0].unusual_checksums == 1
        assert runner.snapshot()[0].active_router == "10.99.0.200"
        await until(lambda: lan.addresses() == {"10.99.0.1/24": None}, 0.1)
        lan.inject(0)
        assert await until(lambda: "10.99.0.100/32" in lan.addresses()) < 0.12

    lan.up()
    run_router(lan, scenario)


def ns_interface_comes_late(lan):
    """No interface, no carrier, no address: waited for one after the other."""

    async def scenario(lan, runner, states):
        assert runner.snapshot()[0].waiting_for == "interface v0 to exist"
        lan.ipr.link("set", index=lan.index["v0"], ifname="v0")
        lan.set("v1", "up")
        await until(lambda: runner.snapshot()[0].waiting_for == "interface v0 to come up")
        lan.set("v0", "up")
        await until(lambda: runner.snapshot()[0].waiting_for == "interface v0 to have an IPv4 address")
        lan.add("10.99.0.1/24")
        await until(lambda: "10.99.0.100/32" in lan.addresses())

    lan.ipr.link("set", index=lan.index["v0"], ifname="other")
    run_router(lan, scenario)


def ns_link_goes(lan):
    """Carrier lost, switched off, deleted: released each time, and taken up again."""

    async def scenario(lan, runner, states):
        for name in ("v1", "v0"):
            await until(lambda: runner.snapshot()[0].vips_held)
            lan.set(name, "down")
            await until(lambda: state(runner) == "Initialize", 3.0)
            await until(lambda: lan.addresses() == {"10.99.0.1/24": None})
            assert runner.snapshot()[0].waiting_for == "interface v0 to come up"
            lan.set(name, "up")
            await until(lambda: state(runner) == "Active", 3.0)
        lan.ipr.link("del", index=lan.index["v0"])
        await until(lambda: runner.snapshot()[0].waiting_for == "interface v0 to exist")
        assert runner.snapshot()[0].vips_held == () or await until(lambda: not runner.snapshot()[0].vips_held) < 1

    lan.up()
    run_router(lan, scenario)


def killed():
    run_until_killed(config())


def ns_sigkill(lan):
    """SIGKILL: the kernel takes the VIP away; a start after it takes away what a longer lease would have kept."""
    lan.up()
    child = subprocess.Popen([sys.executable, __file__, "killed"])
    began = time.monotonic()
    while "10.99.0.100/32" not in lan.addresses():
        assert time.monotonic() - began < 10
        time.sleep(0.01)
    time.sleep(0.6)
    child.send_signal(signal.SIGKILL)
    child.wait()
    killed_at = time.monotonic()
    while "10.99.0.100/32" in lan.addresses():
        assert time.monotonic() - killed_at < 2.5
        time.sleep(0.01)
    assert lan.addresses() == {"10.99.0.1/24": None}


def ns_sigstop(lan):
    """SIGSTOP: the lease ends. SIGCONT: nothing is sent or claimed before it has listened for as long as a Backup."""
    lan.up()
    child = subprocess.Popen([sys.executable, __file__, "killed"])
    began = time.monotonic()
    while "10.99.0.100/32" not in lan.addresses():
        assert time.monotonic() - began < 10
        time.sleep(0.01)
    child.send_signal(signal.SIGSTOP)
    time.sleep(2.6)
    assert lan.addresses() == {"10.99.0.1/24": None}
    lan.frames()
    child.send_signal(signal.SIGCONT)
    woke_at = time.monotonic()
    while True:
        addresses, frames = lan.addresses(), lan.frames()
        if frames:
            break
        assert addresses == {"10.99.0.1/24": None}
        assert time.monotonic() - woke_at < 2
    assert time.monotonic() - woke_at >= 0.35
    assert frames[0][12:14] == b"\x08\0"  # Active again, and like any other: an advertisement first
    child.kill()
    child.wait()


def ns_left_over(lan):
    """What a crash left on our interfaces is gone once the ports are open."""

    async def scenario(lan, runner, states):
        assert lan.addresses() == {"10.99.0.1/24": None}

    lan.up()
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=60)
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.99/32"), lease_s=60)
    run_router(lan, scenario)


def ns_unicast(lan):
    """With peers it is sent to them and to nobody else; what a peer sends is taken whatever its TTL."""

    async def scenario(lan, runner, states):
        await until(lambda: runner.snapshot()[0].vips_held)
        await trio.sleep(0.1)
        adverts = lan.adverts()
        assert {advert[30:34] for advert in adverts} == {bytes((10, 99, 0, 200))}
        assert {advert[22] for advert in adverts} == {255}
        assert {advert[:6] for advert in adverts} == {PEER_MAC}
        lan.inject(200, source="10.99.0.201", destination="10.99.0.1")
        lan.inject(200)
        await trio.sleep(0.1)
        assert state(runner) == "Active"
        lan.inject(200, destination="10.99.0.1", ttl=64)
        await until(lambda: state(runner) == "Backup")

    lan.up()
    lan.ipr.neigh("add", dst="10.99.0.200", lladdr=PEER_MAC.hex(":"), ifindex=lan.index["v0"])
    run_router(lan, scenario, config(peers=(IPv4Address("10.99.0.200"),)))


def ns_ipv6(lan):
    """Active in no more time than IPv4 takes, NA after advertisement, released and resigned at the end."""

    async def scenario(lan, runner, states):
        assert state(runner) == "Backup"
        await until(lambda: runner.snapshot()[0].vips_held)
        vips = {"fe80::200:5eff:fe00:233/128", "fd00:99::100/128"}
        assert lan.addresses6() == vips
        await trio.sleep(0.15)
        frames = lan.frames()
        assert is_advert(frames[0])
        assert (frames[0][:6].hex(), frames[0][6:12]) == ("333300000012", lan.mac())
        assert (frames[0][14:16].hex()[:3], frames[0][21]) == ("6c0", 255)  # traffic class, hop limit
        assert frames[0][22:38] == lan.link_local().packed
        told = [frame for frame in frames if not is_advert(frame)]
        assert len(told) == 10
        assert told[0][6:12] == told[0][80:86] == lan.mac()
        for _ in range(20):
            await trio.sleep(0.1)
            assert lan.addresses6() == vips
        lan.inject6(200)
        await until(lambda: state(runner) == "Backup")
        await until(lambda: lan.addresses6() == set(), 0.1)
        lan.inject6(0)
        await until(lambda: state(runner) == "Active")
        lan.frames()

    lan.up("10.99.0.1/24", "fd00:99::1/64")
    run_router(lan, scenario, config6())
    assert lan.adverts()[-1][56] == 0
    assert lan.addresses6() == set()


def ns_ipv6_waits_for_its_address(lan):
    """Duplicate address detection of the interface's own link-local address is waited for."""

    async def scenario(lan, runner, states):
        assert runner.snapshot()[0].waiting_for == "interface v0 to have a link-local IPv6 address"
        await until(lambda: state(runner) == "Active", 5.0)

    set_sysctl("ipv6/conf/v0/accept_dad", 1)
    set_sysctl("ipv6/conf/v0/dad_transmits", 1)
    lan.up("fd00:99::1/64")
    run_router(lan, scenario, config6())


def ns_virtual_mac(lan):
    """Adverts, announcements and answers come from the virtual MAC address; nothing of it is left behind."""

    async def scenario(lan, runner, states):
        await until(lambda: runner.snapshot()[0].vips_held)
        await trio.sleep(0.15)
        frames = lan.frames()
        assert is_advert(frames[0])
        assert {frame[6:12] for frame in frames} == {VMAC}
        assert {frame[22:28] for frame in frames if not is_advert(frame)} == {VMAC}
        virtual = lan.link(f"vrrp4-51-{lan.index['v0']:x}")
        assert lan.addresses() == {"10.99.0.1/24": None}
        assert lan.addresses(virtual) == {"10.99.0.100/32": 99}
        assert VMAC in await trio.to_thread.run_sync(lan.who_has, "10.99.0.100")
        lan.delete("10.99.0.100/32", virtual)
        await until(lambda: runner.snapshot()[0].vips_restored == 1)
        await until(lambda: lan.addresses(virtual) == {"10.99.0.100/32": 99}, 0.1)
        lan.inject(200, mac=VMAC)  # a rival has the same MAC address
        await until(lambda: state(runner) == "Backup")
        await until(lambda: lan.addresses(virtual) == {}, 0.1)
        await until(lambda: lan.ipr.get_links(virtual)[0]["flags"] & 1 == 0)
        lan.inject(0, mac=VMAC)
        await until(lambda: lan.addresses(virtual) == {"10.99.0.100/32": 99})
        lan.ipr.link("del", index=virtual)
        await until(lambda: lan.link(f"vrrp4-51-{lan.index['v0']:x}") not in (None, virtual), 1.0)
        await until(lambda: runner.snapshot()[0].vips_held)

    lan.up()
    before = settings("v0")
    run_router(lan, scenario, config(virtual_mac=True))
    assert lan.adverts()[-1][36] == 0
    assert [link.get_attr("IFLA_IFNAME") for link in lan.ipr.get_links()] == ["lo", "v1", "v0"]
    assert settings("v0") == before


def ns_virtual_mac_ipv6(lan):
    """The same for IPv6. No address is made from the virtual MAC address (rule 40)."""

    async def scenario(lan, runner, states):
        await until(lambda: runner.snapshot()[0].vips_held)
        virtual = lan.link(f"vrrp6-51-{lan.index['v0']:x}")
        assert lan.addresses(virtual, socket.AF_INET6) == {"fe80::200:5eff:fe00:233/128": 99, "fd00:99::100/128": 99}
        await trio.sleep(0.15)
        assert {frame[6:12] for frame in lan.frames()} == {VMAC6}
        for vip in ("fd00:99::100", "fe80::200:5eff:fe00:233"):
            assert await trio.to_thread.run_sync(lan.who_has, vip) == [VMAC6]
        lan.inject6(200, mac=VMAC6)
        await until(lambda: state(runner) == "Backup")

    lan.up("10.99.0.1/24", "fd00:99::1/64")
    run_router(lan, scenario, config6(virtual_mac=True))
    assert len(lan.ipr.get_links()) == 3


def settings(name):
    """Everything under /proc/sys/net of an interface, but what counts."""
    files = (file for family in ("ipv4", "ipv6") for file in Path(f"/proc/sys/net/{family}/conf/{name}").iterdir())
    return {str(file): file.read_text() for file in files if file.name not in ("stable_secret",)}


def killed_with_virtual_mac():
    run_until_killed(config(virtual_mac=True))


def ns_sigkill_with_virtual_mac(lan):
    """SIGKILL leaves the virtual interface, without a VIP once the lease has ended; the next start removes it."""
    lan.up()
    name = f"vrrp4-51-{lan.index['v0']:x}"
    lan.ipr.link("add", ifname="mine", kind="macvlan", link=lan.index["v0"], macvlan_mode="bridge")
    child = subprocess.Popen([sys.executable, __file__, "killed_with_virtual_mac"])
    wait_for(lambda: lan.link(name) and lan.addresses(lan.link(name)), 10)
    child.kill()
    child.wait()
    wait_for(lambda: lan.addresses(lan.link(name)) == {}, 2.5)
    left = lan.link(name)

    async def scenario(lan, runner, states):
        assert lan.link(name) is None
        await until(lambda: state(runner) == "Active")
        assert lan.link("mine") is not None

    run_router(lan, scenario)
    child = subprocess.Popen([sys.executable, __file__, "killed_with_virtual_mac"])
    wait_for(lambda: lan.link(name) not in (None, left), 10)
    child.kill()
    child.wait()

    async def again(lan, runner, states):
        await until(lambda: state(runner) == "Active")
        await until(lambda: runner.snapshot()[0].vips_held)

    run_router(lan, again, config(virtual_mac=True))
    assert lan.link(name) is None
    assert lan.link("mine") is not None


def ns_virtual_mac_asks_for_its_neighbours(lan):
    """A node that has just become Active must find the MAC addresses of those whom it answers from the VIP."""
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    other = Machine(lan, "10.99.0.200/24", "fd00:99::200/64")

    def ping(vip, mac):
        other.run("ip", "neigh", "replace", vip, "lladdr", mac.hex(":"), "dev", "v1", "nud", "permanent")
        subprocess.run(["ip", "neigh", "flush", "all"], check=True, timeout=10)
        other.run("ping", "-c", "1", "-W", "2", vip)

    async def scenario(lan, runner, states):
        await until(lambda: all(router.vips_held for router in runner.snapshot()))
        await trio.to_thread.run_sync(ping, "fd00:99::100", VMAC6)
        await trio.to_thread.run_sync(ping, "10.99.0.100", VMAC)

    run_router(lan, scenario, config(virtual_mac=True), config6(virtual_mac=True))
    other.close()


if __name__ == "__main__":
    main(globals())
