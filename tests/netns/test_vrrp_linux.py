"""The Linux seams against a real kernel, each in a network namespace of its own.

A test runs this file again as a program under `unshare`, as root or in a user namespace. There `v0` is the interface
under test (10.99.0.1/24) and a packet socket on `v1`, its other end, is the rest of the LAN.
"""

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest
import trio
from pyroute2 import IPRoute
from trio.testing import wait_all_tasks_blocked

from vrrp.advertisement import Advertisement, encode
from vrrp.config import VirtualRouterConfig
from vrrp.interfaces import HeldAddress, Interface
from vrrp.last_will import LastWill
from vrrp.linux import open_ports, remove_left_over
from vrrp.linux.linkwatch import LinkWatch
from vrrp.linux.netlink import AddressAdded, AddressTable, NetlinkThread
from vrrp.linux.rawsock import RawAdvertSockets
from vrrp.runner import Runner

VIP = IPv4Address("10.99.0.100")
ETH_P_ALL, ETH_P_IP, ETH_P_ARP = 3, 0x0800, 0x0806
PEER_MAC = bytes.fromhex("02000000000b")


def config(**changes):
    values = {
        "name": "lan",
        "vrid": 51,
        "interface": "v0",
        "addresses": (IPv4Interface("10.99.0.100/24"),),
        "advertisement_interval_cs": 10,
    }
    return VirtualRouterConfig(**(values | changes))


# -- in the namespace -----------------------------------------------------------------------------------------------


class Lan:
    """The other end of the cable."""

    def __init__(self):
        self.ipr = IPRoute()
        self.ipr.link("add", ifname="v0", kind="veth", peer="v1")
        self.index = {name: self.ipr.link_lookup(ifname=name)[0] for name in ("lo", "v0", "v1")}
        self.table = AddressTable()
        self.witness = None

    def up(self, address="10.99.0.1/24"):
        for name in ("lo", "v0", "v1"):
            self.set("v0" if name == "v0" else name, "up")
        if address:
            self.add(address)
        self.witness = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.witness.bind(("v1", ETH_P_ALL))
        self.witness.setblocking(False)

    def set(self, name, state):
        self.ipr.link("set", index=self.index[name], state=state)

    def add(self, address):
        ip, prefix = address.split("/")
        self.ipr.addr("add", index=self.index["v0"], address=ip, prefixlen=int(prefix))

    def delete(self, address):
        ip, prefix = address.split("/")
        self.ipr.addr("del", index=self.index["v0"], address=ip, prefixlen=int(prefix))

    def addresses(self):
        """The addresses on v0 with their tag, as the kernel tells them."""
        found = {}
        for message in self.ipr.get_addr(family=socket.AF_INET, index=self.index["v0"]):
            found[f"{message.get_attr('IFA_LOCAL')}/{message['prefixlen']}"] = message.get_attr("IFA_PROTO")
        return found

    def mac(self, name="v0"):
        return bytes.fromhex(self.ipr.get_links(self.index[name])[0].get_attr("IFLA_ADDRESS").replace(":", ""))

    def frames(self):
        """What came out of v0 since the last call: adverts and gratuitous ARPs."""
        seen = []
        while True:
            try:
                frame, address = self.witness.recvfrom(2048)
            except BlockingIOError:
                return seen
            outgoing = address[2] == socket.PACKET_OUTGOING
            kind = struct.unpack_from("!H", frame, 12)[0]
            if not outgoing and (kind == ETH_P_ARP or (kind == ETH_P_IP and frame[23] == 112)):
                seen.append(frame)

    def inject(self, priority, *, ttl=255, source="10.99.0.200", vrid=51, checksum="rfc5798"):
        """Send an advertisement into v0."""
        address = IPv4Address(source)
        advertisement = Advertisement(vrid=vrid, priority=priority, max_advert_interval_cs=10, addresses=(VIP,))
        payload = encode(advertisement, source=address, checksum=checksum)
        header = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(payload), 0, 0, ttl, 112, 0)
        header += address.packed + bytes((224, 0, 0, 18))
        total = sum(struct.unpack("!10H", header))
        total = (total & 0xFFFF) + (total >> 16)
        total = (total & 0xFFFF) + (total >> 16)
        header = header[:10] + struct.pack("!H", total ^ 0xFFFF) + header[12:]
        self.witness.send(bytes.fromhex("01005e000012") + PEER_MAC + b"\x08\0" + header + payload)


async def until(condition, limit_s=2.0):
    """Wait for something that another thread or the kernel does; the time it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit_s, "it did not happen"
        await trio.sleep(0.002)
    return time.monotonic() - began


def joined(group):
    return group in Path("/proc/net/igmp").read_text()


def run_router(lan, scenario, *configs):
    """Run a Runner, and `scenario(lan, runner, states)` beside it; cancel it then."""

    async def main():
        states = []
        async with open_ports(configs or (config(),)) as ports:
            runner = Runner(configs or (config(),), ports=ports, observe=states.append)
            async with trio.open_nursery() as nursery:
                await nursery.start(runner.run)
                await scenario(lan, runner, states)
                nursery.cancel_scope.cancel()

    trio.run(main)


def state(runner):
    return runner.snapshot()[0].state


def ns_lease_ends(lan):
    """An address that nobody renews is removed by the kernel; one that is renewed stays."""
    lan.up()
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=1)
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.101/32"), lease_s=1)
    began = time.monotonic()
    while "10.99.0.100/32" in lan.addresses():
        assert time.monotonic() - began < 2.5
        lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.101/32"), lease_s=1)
        time.sleep(0.05)
    assert time.monotonic() - began >= 0.9
    assert lan.addresses() == {"10.99.0.1/24": None, "10.99.0.101/32": 99}


def ns_no_lease(lan):
    """An address without a lease is for good."""
    lan.up()
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=None)
    message = next(m for m in lan.ipr.get_addr(index=lan.index["v0"]) if m.get_attr("IFA_LOCAL") == "10.99.0.100")
    assert message.get_attr("IFA_CACHEINFO")["ifa_valid"] == 0xFFFFFFFF


def ns_tag(lan):
    """Only what carries our tag is ours; a start removes it, but for what is to be held."""
    lan.up()
    lan.add("10.99.0.50/32")
    for address in ("10.99.0.100/32", "10.99.0.101/32"):
        lan.table.put(lan.index["v0"], IPv4Interface(address), lease_s=None)
    assert lan.table.tagged({"v1"}) == ()
    assert [str(address) for _, _, address in lan.table.tagged({"v0"})] == ["10.99.0.100/32", "10.99.0.101/32"]
    remove_left_over(lan.table, {"v0"}, keep={IPv4Address("10.99.0.101")})
    assert lan.addresses() == {"10.99.0.1/24": None, "10.99.0.50/32": None, "10.99.0.101/32": 99}


def ns_remove_twice(lan):
    """It is no error to remove what is gone, from an interface that may be gone too."""
    lan.up()
    lan.table.remove(lan.index["v0"], IPv4Interface("10.99.0.100/32"))
    lan.table.remove(4711, IPv4Interface("10.99.0.100/32"))
    with pytest.raises(OSError, match="No such device"):
        lan.table.put(4711, IPv4Interface("10.99.0.100/32"), lease_s=1)


def ns_dump(lan):
    """A dump tells of links and of IPv4 addresses."""
    lan.up()
    own = HeldAddress(IPv4Interface("10.99.0.1/24"))
    assert AddressAdded(lan.index["v0"], own) in lan.table.dump()


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


def ns_own_adverts_are_not_heard(lan):
    """IP_MULTICAST_LOOP is off; a second socket of this machine hears nothing."""
    lan.up()

    async def main():
        eth = Interface(name="v0", index=lan.index["v0"], up=True, mac=lan.mac())
        one, other = RawAdvertSockets().open(eth), RawAdvertSockets().open(eth)
        one.send(b"anything", source=IPv4Address("10.99.0.1"))
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
        sock = RawAdvertSockets().open(Interface(name="v0", index=lan.index["v0"], up=True))
        async with trio.open_nursery() as nursery:

            async def read():
                with pytest.raises(trio.ClosedResourceError):
                    await sock.wait_readable()

            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            sock.close()

    trio.run(main)


def ns_lost_events(lan):
    """When the kernel drops events (ENOBUFS), everything is looked at again."""
    lan.up()

    async def main():
        thread = NetlinkThread()
        watch = LinkWatch({"v0"}, thread=thread)
        await watch.listen()
        watch._socket.setsockopt(socket.SOL_SOCKET, 33, 4096)  # SO_RCVBUFFORCE: room for a few events only
        assert (await watch.next_change()).addresses == (HeldAddress(IPv4Interface("10.99.0.1/24")),)
        for number in range(2, 250):
            lan.add(f"10.99.1.{number}/32")
        with trio.fail_after(5):
            while len((await watch.next_change()).addresses) < 249:
                pass
        watch.close()
        await thread.close(limit_s=1)

    trio.run(main)


def ns_last_will(lan):
    """Priority 0 first, then every address of ours is off; in a few milliseconds, on whatever interfaces there are."""
    lan.up()
    gone = config(name="gone", vrid=9, interface="v9")
    will = LastWill((config(priority=200), gone))
    will.prepare()
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=5)
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.77/32"), lease_s=5)
    lan.frames()
    began = time.monotonic()
    assert will.fire({"lan", "gone"}) == ["10.99.0.100/32 on v0", "10.99.0.77/32 on v0"]
    assert time.monotonic() - began < 0.1
    (advert,) = lan.frames()
    assert (advert[22], advert[34:37].hex()) == (255, "313300")
    assert lan.addresses() == {"10.99.0.1/24": None}
    assert will.fire({"lan"}) == []
    assert len(lan.frames()) == 1
    will.close()


def ns_last_will_finds_what_is_held(lan):
    """A router that nobody named, but whose VIP is there, is resigned too; one whose VIP is not, is not."""
    lan.up()
    other = config(name="other", vrid=52, addresses=(IPv4Interface("10.99.0.101/24"),))
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=5)
    lan.frames()
    will = LastWill((config(), other))
    assert will.release_all() == ["10.99.0.100/32 on v0"]
    assert [frame[35] for frame in lan.frames()] == [51]
    will.close()


def ns_last_will_survives_a_new_interface(lan):
    """Prepared on an interface that was then made anew."""
    lan.up()
    will = LastWill((config(),))
    will.prepare()
    lan.ipr.link("del", index=lan.index["v0"])
    again = Lan()
    again.up()
    assert will.fire({"lan"}) == []
    assert len(again.frames()) == 1
    will.close()


def ns_sigkill(lan):
    """SIGKILL: the kernel takes the VIP away; a start after it takes away what a longer lease would have kept."""
    lan.up()
    child = subprocess.Popen([sys.executable, __file__, "run_until_killed"])
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
    child = subprocess.Popen([sys.executable, __file__, "run_until_killed"])
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


def run_until_killed():
    async def main():
        async with open_ports((config(),)) as ports:
            await Runner((config(),), ports=ports, observe=lambda snapshot: None).run()

    trio.run(main)


def ns_left_over(lan):
    """What a crash left on our interfaces is gone once the ports are open."""

    async def scenario(lan, runner, states):
        assert lan.addresses() == {"10.99.0.1/24": None}

    lan.up()
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=60)
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.99/32"), lease_s=60)
    run_router(lan, scenario)


# -- outside --------------------------------------------------------------------------------------------------------

SCENARIOS = [name for name in dir() if name.startswith("ns_")]


def unshare():
    """The command that makes a namespace here, or None."""
    commands = [["unshare", "-n"], ["unshare", "-Urn"]] if os.geteuid() == 0 else [["unshare", "-Urn"]]
    for command in commands:
        if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    return None


@pytest.mark.netns
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_in_a_namespace(scenario):
    command = unshare()
    if command is None:
        reason = "no network namespaces here: needs root, or an ordinary user who may use `unshare -Urn`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    done = subprocess.run(
        [*command, sys.executable, "-W", "error", __file__, scenario],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    name = sys.argv[1]
    globals()[name](*([Lan()] if name.startswith("ns_") else []))
