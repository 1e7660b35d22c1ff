"""What the scenarios of this folder share: a LAN in a network namespace, and the program that runs one of them there.

`v0` is the interface under test (10.99.0.1/24, IPv6 link-local); a packet socket on `v1`, its other end, is the rest of
the LAN. Duplicate address detection is off.
"""

import atexit
import os
import socket
import struct
import subprocess
import sys
import time
from ipaddress import IPv4Interface, ip_address, ip_interface
from pathlib import Path

import trio
from pyroute2 import IPRoute

from vrrp.advertisement import GROUP, Advertisement, encode
from vrrp.config import VirtualRouterConfig
from vrrp.frames import icmpv6
from vrrp.interfaces import HeldAddress, Interface
from vrrp.linux import open_ports
from vrrp.linux.netlink import AddressTable
from vrrp.runner import Runner

ETH_P_ALL = 3
PEER_MAC = bytes.fromhex("02000000000b")
ARP, IPV4, IPV6 = b"\x08\x06", b"\x08\x00", b"\x86\xdd"
VMAC, VMAC6 = bytes.fromhex("00005e000133"), bytes.fromhex("00005e000233")


def config(**changes):
    values = {
        "name": "lan",
        "vrid": 51,
        "interface": "v0",
        "addresses": (IPv4Interface("10.99.0.100/24"),),
        "advertisement_interval_cs": 10,
    }
    return VirtualRouterConfig(**(values | changes))


def config6(**changes):
    addresses = (ip_interface("fe80::200:5eff:fe00:233/64"), ip_interface("fd00:99::100/64"))
    return config(**({"name": "lan6", "addresses": addresses} | changes))


class Lan:
    """The other end of the cable."""

    def __init__(self):
        for setting in ("accept_dad", "dad_transmits", "router_solicitations"):
            set_sysctl(f"ipv6/conf/default/{setting}", 0)
        self.ipr = IPRoute()
        self.ipr.link("add", ifname="v0", kind="veth", peer="v1")
        self.index = {name: self.ipr.link_lookup(ifname=name)[0] for name in ("lo", "v0", "v1")}
        self.table = AddressTable()
        self.witness = None

    def up(self, *addresses):
        for name in ("lo", "v0", "v1"):
            self.set(name, "up")
        for address in addresses or ("10.99.0.1/24",):
            self.add(address)
        wait_for(lambda: self.is_running("v0") and self.is_running("v1"))  # before that frames are dropped
        self.witness = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.witness.bind(("v1", ETH_P_ALL))
        self.witness.setblocking(False)

    def set(self, name, state):
        self.ipr.link("set", index=self.index[name], state=state)

    def add(self, address):
        ip, prefix = address.split("/")
        self.ipr.addr("add", index=self.index["v0"], address=ip, prefixlen=int(prefix))

    def delete(self, address, index=None):
        ip, prefix = address.split("/")
        self.ipr.addr("del", index=index or self.index["v0"], address=ip, prefixlen=int(prefix))

    def addresses(self, index=None, family=socket.AF_INET):
        """The addresses on v0 with their tag, as the kernel tells them."""
        found = {}
        for message in self.ipr.get_addr(family=family, index=index or self.index["v0"]):
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            found[f"{address}/{message['prefixlen']}"] = message.get_attr("IFA_PROTO")
        return found

    def addresses6(self, index=None):
        """Those of IPv6 with our tag."""
        return {address for address, tag in self.addresses(index, socket.AF_INET6).items() if tag == 99}

    def interface(self, name="v0"):
        """It as a watch would tell it."""
        held = tuple(
            HeldAddress(ip_interface(address), tag == 99)
            for family in (socket.AF_INET, socket.AF_INET6)
            for address, tag in self.addresses(self.index[name], family).items()
        )
        return Interface(name=name, index=self.index[name], up=True, mac=self.mac(name), addresses=held)

    def is_running(self, name):
        return bool(self.ipr.get_links(self.index[name])[0]["flags"] & 0x40)

    def link_local(self):
        """The link-local address of v0 that the kernel made."""
        found = self.addresses(family=socket.AF_INET6)
        return next(ip_interface(text).ip for text in found if text.startswith("fe80") and found[text] != 99)

    def mac(self, name="v0"):
        return bytes.fromhex(self.ipr.get_links(self.index[name])[0].get_attr("IFLA_ADDRESS").replace(":", ""))

    def link(self, name):
        """The index of an interface, or None."""
        return next(iter(self.ipr.link_lookup(ifname=name)), None)

    def frames(self):
        """What came out of v0 since the last call: adverts, ARP, neighbour advertisements."""
        seen = []
        while True:
            try:
                frame, address = self.witness.recvfrom(2048)
            except BlockingIOError:
                return seen
            if address[2] != socket.PACKET_OUTGOING and (is_advert(frame) or is_announcement(frame)):
                seen.append(frame)

    def adverts(self):
        """The adverts among them."""
        return [frame for frame in self.frames() if is_advert(frame)]

    def inject(self, priority, *, ttl=255, source="10.99.0.200", destination=GROUP, mac=PEER_MAC, vrid=51, **how):
        """Send an advertisement into v0."""
        source, destination = ip_address(source), ip_address(destination)
        advertisement = Advertisement(
            vrid=vrid, priority=priority, max_advert_interval_cs=10, addresses=(ip_address("10.99.0.100"),)
        )
        payload = encode(advertisement, source=source, destination=destination, **({"checksum": "rfc5798"} | how))
        header = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(payload), 0, 0, ttl, 112, 0)
        header += source.packed + destination.packed
        total = sum(struct.unpack("!10H", header))
        total = (total & 0xFFFF) + (total >> 16)
        total = (total & 0xFFFF) + (total >> 16)
        header = header[:10] + struct.pack("!H", total ^ 0xFFFF) + header[12:]
        to = bytes.fromhex("01005e000012") if destination == GROUP else self.mac()
        self.witness.send(to + mac + IPV4 + header + payload)

    def inject6(self, priority, *, source="fe80::b", destination="ff02::12", mac=PEER_MAC, hop_limit=255):
        """The same for IPv6."""
        source, destination = ip_address(source), ip_address(destination)
        addresses = tuple(map(ip_address, ("fe80::200:5eff:fe00:233", "fd00:99::100")))
        advertisement = Advertisement(vrid=51, priority=priority, max_advert_interval_cs=10, addresses=addresses)
        payload = encode(advertisement, source=source, destination=destination, checksum="rfc5798")
        header = struct.pack("!IHBB", 6 << 28, len(payload), 112, hop_limit) + source.packed + destination.packed
        to = b"\x33\x33" + destination.packed[-4:] if destination.is_multicast else self.mac()
        self.witness.send(to + mac + IPV6 + header + payload)

    def who_has(self, vip):
        """Ask v0 for an address; the MAC addresses in the answers that come within 0.2 s."""
        self.frames()
        vip = ip_address(vip)
        if vip.version == 4:
            self.witness.send(
                b"\xff" * 6 + PEER_MAC + ARP + bytes.fromhex("0001080006040001")
                + PEER_MAC + bytes((10, 99, 0, 200)) + bytes(6) + vip.packed
            )  # fmt: skip
        else:
            group = ip_address("ff02::1:ff00:0").packed[:13] + vip.packed[13:]
            message = b"\x87\0\0\0\0\0\0\0" + vip.packed + b"\x01\x01" + PEER_MAC
            packet = icmpv6(message, ip_address("fe80::b"), ip_address(group))
            self.witness.send(b"\x33\x33" + group[-4:] + PEER_MAC + IPV6 + packet)
        time.sleep(0.2)
        return [answered_mac(frame, vip) for frame in self.frames() if answered_mac(frame, vip)]


def is_advert(frame):
    return (frame[12:14] == IPV4 and frame[23] == 112) or (frame[12:14] == IPV6 and frame[20] == 112)


def is_announcement(frame):
    return frame[12:14] == ARP or (frame[12:14] == IPV6 and frame[20] == 58 and frame[54] == 136)


def answered_mac(frame, vip):
    """The MAC address that an ARP reply or a solicited neighbour advertisement tells of a VIP."""
    if frame[12:14] == ARP:
        return frame[22:28] if frame[21] == 2 and frame[28:32] == vip.packed else None
    if frame[12:14] == IPV6 and frame[20] == 58:
        return frame[80:86] if frame[58] & 0x40 and frame[62:78] == vip.packed else None
    return None


class Machine:
    """Another machine: `v1` is moved there and gets these addresses."""

    def __init__(self, lan, *addresses):
        self._process = subprocess.Popen(["unshare", "-n", "sleep", "60"], stdout=subprocess.DEVNULL)
        atexit.register(self.close)
        ours = os.readlink("/proc/self/ns/net")
        wait_for(lambda: os.readlink(f"/proc/{self._process.pid}/ns/net") != ours)
        lan.ipr.link("set", index=lan.index["v1"], net_ns_pid=self._process.pid)
        for name in ("accept_dad", "dad_transmits"):
            self.run("sh", "-c", f"echo 0 > /proc/sys/net/ipv6/conf/v1/{name}")
        for command in ("link set lo up", "link set v1 up", *(f"addr add {address} dev v1" for address in addresses)):
            self.run("ip", *command.split())
        wait_for(lambda: lan.is_running("v0"))

    def run(self, *command):
        """What a command prints there."""
        inside = ["nsenter", "-t", str(self._process.pid), "-n", *command]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def close(self):
        self._process.kill()
        self._process.wait()


def wait_for(condition, limit_s=5.0):
    """Wait for something that another process or the kernel does."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit_s, "it did not happen"
        time.sleep(0.01)


def set_sysctl(name, value):
    Path("/proc/sys/net", name).write_text(str(value))


def sysctl(name):
    return Path("/proc/sys/net", name).read_text().strip()


async def until(condition, limit_s=2.0):
    """Wait for something that another thread or the kernel does; the time it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit_s, "it did not happen"
        await trio.sleep(0.002)
    return time.monotonic() - began


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


def run_until_killed(*configs):
    async def main():
        async with open_ports(configs) as ports:
            await Runner(configs, ports=ports, observe=lambda snapshot: None).run()

    trio.run(main)


def state(runner):
    return runner.snapshot()[0].state


def main(scenarios):
    """Run the scenario that the command line names."""
    name = sys.argv[1]
    scenarios[name](*([Lan()] if name.startswith("ns_") else []))
