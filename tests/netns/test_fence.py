"""The fence against a real kernel, each test in a network namespace of its own.

A test runs this file again as a program under `unshare`, as root or in a user namespace. A neighbour on `v1` asks who
has the VIPs; what it hears is what counts.
"""

import os
import resource
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from vrrp.linux.fence import Fence

MAC = bytes.fromhex("02000000000b")
V4, V6, LINK_LOCAL = IPv4Address("10.99.0.100"), IPv6Address("fd00:99::100"), IPv6Address("fe80::99:100%v0")
NEIGHBOUR_V4, NEIGHBOUR_V6 = IPv4Address("10.99.0.200"), IPv6Address("fd00:99::200")
ETH_P_ALL, ETH_P_ARP, ETH_P_IPV6 = 3, 0x0806, 0x86DD


def ip(*commands):
    """Lines for `ip -batch`."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands).encode(), check=True, timeout=10)


def nft(command):
    """What nft prints."""
    return subprocess.run(["nft", *command.split()], capture_output=True, check=True, text=True, timeout=10).stdout


class Lan:
    """`v0` is ours, 10.99.0.1/24 and fd00:99::1/64; the rest of the LAN is a packet socket on `v1`, its other end."""

    def __init__(self):
        for name in ("all", "default"):
            with open(f"/proc/sys/net/ipv6/conf/{name}/accept_dad", "w") as setting:
                setting.write("0")
        ip(
            "link add v0 type veth peer name v1",
            *(f"link set {name} up" for name in ("lo", "v1", "v0")),
            "address add 10.99.0.1/24 dev v0",
            "address add fd00:99::1/64 dev v0 nodad",
        )
        self.mac = self.mac_of("v0")
        self.listen("v1")
        for own in (IPv4Address("10.99.0.1"), IPv6Address("fd00:99::1")):
            assert any(self.answer(own) for _ in range(20)), "the kernel may take a second to see that a link is up"

    def listen(self, name):
        """Be the rest of the LAN behind this interface from now on."""
        self.witness = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.witness.bind((name, ETH_P_ALL))
        self.witness.setblocking(False)

    def mac_of(self, name):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as probe:
            probe.bind((name, 0))
            return probe.getsockname()[4]

    def hold(self, *vips):
        ip(*(f"address add {str(vip).partition('%')[0]}/{vip.max_prefixlen} dev v0{nodad(vip)}" for vip in vips))

    def frames(self):
        """What came out of v0 since the last call."""
        seen = []
        while True:
            try:
                frame, address = self.witness.recvfrom(2048)
            except BlockingIOError:
                return seen
            if address[2] != socket.PACKET_OUTGOING:
                seen.append(frame)

    def ask(self, vip):
        """Ask for its MAC, as a neighbour that does not know it."""
        self.witness.send(arp_request(vip) if vip.version == 4 else solicitation(vip))

    def answer(self, vip):
        """The MAC that a fresh lookup finds: it asks three times, as a neighbour does."""
        for _ in range(3):
            if macs := self.macs(vip, limit_s=0.05):
                return min(macs)
        return None

    def macs(self, vip, *, limit_s):
        """Every MAC that is said to have it."""
        self.frames()
        self.ask(vip)
        time.sleep(limit_s)
        return {mac for frame in self.frames() if (mac := answered(frame, vip)) is not None}

    def answers(self, *vips):
        return [self.answer(vip) is not None for vip in vips]

    def asks_from(self, vip, *, sender=None):
        """Whether a packet from the VIP makes our kernel ask for a neighbour, in the VIP's name or in another."""
        neighbour = NEIGHBOUR_V4 if vip.version == 4 else NEIGHBOUR_V6
        self.frames()
        with socket.socket(socket.AF_INET if vip.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.bind((str(vip), 0))
            client.sendto(b"?", (str(neighbour), 9))
        time.sleep(0.1)
        ip(f"neighbour flush to {neighbour} dev v0")
        return any(asked_by(frame) == (sender or vip).packed for frame in self.frames())

    def gone(self, fence):
        """Whether the events that have come by now say so."""
        said = []
        while True:
            try:
                said.append(fence.is_gone(fence.events().recv(1 << 16)))
            except BlockingIOError:
                return any(said)

    def questions_while(self, work):
        """Who answers for VIPs, asked without a pause in another thread while something is done in this one."""
        over, heard, asked = threading.Event(), [], []

        def ask():
            while not over.is_set():
                for vip in (V4, V6):
                    self.ask(vip)
                    asked.append(vip)
                    heard.extend(frame for frame in self.frames() if answered(frame, vip))

        neighbour = threading.Thread(target=ask)
        neighbour.start()
        work()
        over.set()
        neighbour.join()
        assert len(asked) > 100
        return heard

    def delivers(self, address):
        """Whether a datagram that a neighbour sends to an address arrives."""
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as server:
            server.bind((str(address), 0))
            server.settimeout(0.2)
            self.witness.send(self.mac + MAC + datagram(address, server.getsockname()[1]))
            try:
                return server.recv(100) == b"hello"
            except TimeoutError:
                return False


def datagram(address, port):
    """Ethernet's type, IP and UDP without a checksum (IPv6: with one)."""
    udp = struct.pack("!HHHH", 9, port, 13, 0) + b"hello"
    if address.version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 33, 0, 0, 64, 17, 0) + NEIGHBOUR_V4.packed + address.packed
        header = header[:10] + checksum(header) + header[12:]
        return b"\x08\x00" + header + udp
    addresses = NEIGHBOUR_V6.packed + address.packed
    udp = udp[:6] + checksum(addresses + struct.pack("!II", 13, 17) + udp) + udp[8:]
    return b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 13, 17, 64) + addresses + udp


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


def asked_by(frame):
    """In whose name a frame asks for a neighbour: ARP or neighbour solicitation."""
    if frame[12:14] == b"\x08\x06":
        return frame[28:32]
    if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 135:
        return frame[22:38]
    return None


def nodad(vip):
    return " nodad" if vip.version == 6 else ""


def arp_request(vip):
    arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, MAC, NEIGHBOUR_V4.packed, bytes(6), vip.packed)
    return bytes.fromhex("ffffffffffff") + MAC + struct.pack("!H", ETH_P_ARP) + arp


def solicitation(vip):
    """A neighbour solicitation (RFC 4861 section 4.3)."""
    group = bytes.fromhex("ff0200000000000000000001ff") + vip.packed[13:]
    source = NEIGHBOUR_V6.packed
    body = struct.pack("!BBHI16sBB6s", 135, 0, 0, 0, vip.packed, 1, 1, MAC)
    body = body[:2] + checksum(source + group + struct.pack("!II", len(body), 58) + body) + body[4:]
    header = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + group
    return bytes.fromhex("3333ff") + vip.packed[13:] + MAC + struct.pack("!H", ETH_P_IPV6) + header + body


def answered(frame, vip):
    """The MAC that a frame binds to a VIP in a neighbour's mind: ARP of any kind, advertisements."""
    if frame[12:14] == b"\x08\x06" and frame[28:32] == vip.packed:
        return frame[22:28]
    if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136 and frame[62:78] == vip.packed:
        return frame[6:12]
    return None


class Owner:
    """A process of its own with a fence that is open. Has two packet sockets too, as an announcer has."""

    def __init__(self, *vips):
        command = [sys.executable, __file__, "own", *map(str, vips)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"open\n"

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)

    def wait(self):
        self.process.wait()
        self.process.stdout.close()


def own(*texts):
    vips = [ip_address(text) for text in texts]
    fence = Fence(vips)
    fence.install()
    fence.open(vips)
    held = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP)) for _ in range(2)]
    print("open", flush=True)
    while held:
        signal.pause()


def silence_after_kill(lan, vip):
    """Milliseconds from SIGKILL of the owner to its kernel's last answer, asked every 0.2 ms; 0: none came."""
    owner = Owner(V4, V6)
    assert lan.answers(V4, V6) == [True, True]
    lan.frames()
    killed_at = time.perf_counter()
    owner.kill()
    last_at = now = killed_at
    while now < killed_at + 0.2:
        lan.ask(vip)
        time.sleep(0.0002)  # the dying process needs a core to die on
        now = time.perf_counter()
        if any(answered(frame, vip) for frame in lan.frames()):
            last_at = now
    owner.wait()
    return (last_at - killed_at) * 1000


# -- in the namespace -----------------------------------------------------------------------------------------------


def ns_closed_until_it_is_open(lan):
    """The kernel has the addresses; whether it answers for them is the fence's to say."""
    lan.hold(V4, V6, LINK_LOCAL)
    assert lan.answers(V4, V6, LINK_LOCAL) == [True, True, True]
    fence = Fence([V4, V6, LINK_LOCAL])
    fence.install()
    assert lan.answers(V4, V6, LINK_LOCAL) == [False, False, False]
    assert lan.answers(IPv4Address("10.99.0.1"), IPv6Address("fd00:99::1")) == [True, True]
    fence.open([V4, LINK_LOCAL])
    fence.open([V4, IPv4Address("10.99.0.77")])
    assert lan.answers(V4, V6, LINK_LOCAL) == [True, False, True]
    fence.open([V6])
    fence.close([V4, LINK_LOCAL])
    fence.close([V4])
    assert lan.answers(V4, V6, LINK_LOCAL) == [False, True, False]


def ns_a_local_route_is_silent(lan):
    """As the old node keeps a VIP after a handover: it takes its packets and says nothing of it."""
    fence = Fence([V4, V6])
    fence.install()
    ip(f"route add local {V4} dev v0", f"route add local {V6} dev v0")
    assert lan.answers(V4, V6) == [False, False]
    fence.open([V4])
    assert lan.answers(V4) == [True]


def ns_asks_nobody_in_the_name_of_a_vip(lan):
    """A request of ours would turn a neighbour's cache as an answer does."""
    lan.hold(V4, V6)
    fence = Fence([V4, V6])
    fence.install()
    assert [lan.asks_from(vip) for vip in (V4, V6)] == [False, False]
    fence.open([V4, V6])
    assert [lan.asks_from(vip) for vip in (V4, V6)] == [True, True]


def ns_a_local_route_asks_in_its_own_name(lan):
    """With arp_announce 2 a connection from a VIP that is closed can look up its neighbour all the same."""
    fence = Fence([V4])
    fence.install()
    ip(f"route add local {V4} dev v0")
    assert not lan.asks_from(V4, sender=IPv4Address("10.99.0.1"))
    with open("/proc/sys/net/ipv4/conf/v0/arp_announce", "w") as setting:
        setting.write("2")
    assert lan.asks_from(V4, sender=IPv4Address("10.99.0.1"))


def ns_the_mark_goes_no_further(lan):
    """Whoever looks at marks after us finds none."""
    lan.hold(V4, V6)
    fence = Fence([V4, V6])
    fence.install()
    fence.open([V4, V6])
    for family in ("arp", "ip6"):
        nft(f"add table {family} after")
        nft(f"add chain {family} after c {{ type filter hook output priority 0 ; }}")
        nft(f"add rule {family} after c meta mark != 0 counter drop")
    assert lan.answers(V4, V6) == [True, True]


def ns_silent_once_the_owner_is_dead(lan):
    """SIGKILL: the addresses are still there, and nobody answers for them."""
    lan.hold(V4, V6)
    for vip in (V4, V6):
        assert statistics.median(silence_after_kill(lan, vip) for _ in range(5)) < 100
        assert lan.answers(V4, V6) == [False, False]
    assert "hapair_fence_open" not in nft("list tables")


def ns_a_successor_leaves_no_gap(lan):
    """However often the fence is made anew over what was left, no neighbour gets an answer meanwhile."""
    lan.hold(V4, V6)
    owner = Owner(V4, V6)
    owner.kill()
    owner.wait()
    fences = [Fence([V4, V6]), Fence([V4, V6, LINK_LOCAL], not_accepted=[LINK_LOCAL])]
    assert lan.questions_while(lambda: [fence.install() for fence in fences * 100]) == []
    fences[0].open([V4])
    fences[1].install()
    assert lan.answers(V4, V6) == [True, False]
    fences[0].disown()
    assert lan.answers(V4, V6) == [False, False]


def ns_open_stays_open_when_it_is_made_anew(lan):
    """Nor does a VIP that is open go unanswered."""
    lan.hold(V4)
    fence = Fence([V4])
    fence.install()
    fence.open([V4])
    for _ in range(50):
        fence.install()
        assert lan.answers(V4) == [True]


def ns_another_plan_leaves_no_gap(lan):
    """VIPs come and go around others: what is closed says nothing meanwhile, what is open and stays is answered for."""
    lan.hold(V4, V6)
    third = IPv4Address("10.99.0.103")
    fence = Fence([V4, V6])
    fence.install()

    def replan():
        for _ in range(50):
            fence.replan([V4, V6, third, LINK_LOCAL], not_accepted=[third])
            fence.replan([V4, V6])
            assert not lan.gone(fence)

    assert lan.questions_while(replan) == []
    fence.open([V4, V6])
    for vips in ([V4, V6, third], [V4, V6], [V4]):
        fence.replan(vips)
        assert lan.answers(V4, V6) == [True, True]
    assert not lan.gone(fence)
    assert "ip6" not in nft("list tables")
    fence.replan([V4, V6])
    assert lan.answers(V4, V6) == [True, False]
    fence.replan([])
    assert nft("list tables") == ""
    assert not fence.reinstall_if_missing()
    fence.replan([V4])
    assert lan.answers(V4, V6) == [False, True]
    nft("flush ruleset")
    assert lan.gone(fence)


def ns_with_another_plan_the_dead_are_silent_too(lan):
    """What is open still belongs to the socket."""
    lan.hold(V4, V6)
    fence = Fence([V4])
    fence.install()
    fence.open([V4])
    fence.replan([V4, V6])
    fence.open([V6])
    assert lan.answers(V4, V6) == [True, True]
    fence.disown()
    assert lan.answers(V4, V6) == [False, False]


def ns_a_flushed_ruleset_is_noticed(lan):
    """What Debian's /etc/nftables.conf begins with."""
    lan.hold(V4, V6)
    fence = Fence([V4, V6])
    fence.install()
    fence.open([V4])
    fence.close([V4])
    assert not lan.gone(fence)
    assert not fence.reinstall_if_missing()
    nft("add table inet theirs")
    nft("delete table inet theirs")
    assert not lan.gone(fence)
    for command in ("flush ruleset", "flush table arp hapair_fence", "delete table ip6 hapair_fence"):
        nft(command)
        assert lan.gone(fence)
        assert fence.reinstall_if_missing()
        assert lan.answers(V4, V6) == [False, False]
        assert not fence.reinstall_if_missing()
        assert not lan.gone(fence)
    assert fence.restored == 3
    fence.open([V4, V6])
    nft("flush ruleset")
    assert lan.answers(V4, V6) == [True, True]
    fence.reinstall_if_missing()
    assert lan.answers(V4, V6) == [True, True]


def ns_what_is_fenced_cannot_be_changed(lan):
    """Rules can go, and that is noticed; addresses cannot."""
    Fence([V4]).install()
    with pytest.raises(subprocess.CalledProcessError):
        nft(f"delete element arp hapair_fence vips {{ {V4} }}")
    with pytest.raises(subprocess.CalledProcessError):
        nft("flush set arp hapair_fence vips")


def ns_a_virtual_mac_is_the_only_one(lan):
    """The base interface never answers with its own MAC for an address on the virtual interface above it."""
    ip("link add link v0 vrrp.51 address 00:00:5e:00:01:33 type macvlan mode private", "link set vrrp.51 up")
    ip(f"address add {V4}/32 dev vrrp.51", f"address add {V6}/128 dev vrrp.51 nodad")
    ip("address add fe80::99:100/64 dev vrrp.51 nodad")
    fence = Fence([V4, V6, LINK_LOCAL], only_from=dict.fromkeys([V4, V6, LINK_LOCAL], "vrrp.51"))
    fence.install()
    assert lan.answers(V4, V6, LINK_LOCAL) == [False, False, False]
    fence.open([V4, V6, LINK_LOCAL])
    for vip in (V4, V6, LINK_LOCAL):
        assert lan.macs(vip, limit_s=0.1) == {bytes.fromhex("00005e000133")}
    fence.close([V4, V6, LINK_LOCAL])
    assert lan.answers(V4, V6, LINK_LOCAL) == [False, False, False]


def ns_the_interface_below_asks_without_a_name(lan):
    """It must know its neighbours, who shall not take its own MAC address for that of the VIP."""
    ip("link add link v0 vrrp.51 address 00:00:5e:00:01:33 type macvlan mode private", "link set vrrp.51 up")
    ip(f"address add {V4}/32 dev vrrp.51")
    fence = Fence([V4], only_from={V4: "vrrp.51"})
    fence.install()
    fence.open([V4])
    nobody = IPv4Address("0.0.0.0")
    assert [lan.asks_from(V4, sender=sender) for sender in (V4, IPv4Address("10.99.0.1"), nobody)] == [
        False,
        False,
        True,
    ]
    fence.close([V4])
    assert [lan.asks_from(V4, sender=sender) for sender in (V4, nobody)] == [False, True]


def ns_a_zone_is_fenced_alone(lan):
    """The same link-local address on another interface is somebody else's matter."""
    lan.hold(LINK_LOCAL)
    ip("link add w0 type veth peer name w1", "link set w0 up", "link set w1 up")
    ip("address add fe80::99:100/64 dev w0 nodad")
    fence = Fence([LINK_LOCAL])
    fence.install()
    assert lan.answers(LINK_LOCAL) == [False]
    lan.listen("w1")
    assert lan.answers(LINK_LOCAL) == [True]


def ns_what_is_not_accepted(lan):
    """Accept_Mode false: a neighbour finds the VIP, and nothing that it sends there arrives (RFC 9568 section 6.1)."""
    lan.hold(V4, V6)
    fence = Fence([V4, V6], not_accepted=[V4, V6])
    fence.install()
    fence.open([V4, V6])
    assert lan.answers(V4, V6) == [True, True]
    others = (IPv4Address("10.99.0.1"), IPv6Address("fd00:99::1"))
    assert [lan.delivers(address) for address in (V4, V6, *others)] == [False, False, True, True]
    fence.remove()
    assert [lan.delivers(address) for address in (V4, V6)] == [True, True]


def ns_a_stop_for_good(lan):
    """Nothing of ours remains, and all that is other people's."""
    nft("add table arp theirs")
    nft("add chain arp theirs c { type filter hook output priority 0 ; }")
    before = nft("list ruleset")
    lan.hold(V4, V6)
    Fence([V4, V6], not_accepted=[V4, V6]).install()
    fence = Fence([V4])
    fence.install()
    fence.remove()
    fence.remove()
    assert nft("list ruleset") == before
    assert lan.answers(V4, V6) == [True, True]
    fence.install()
    Fence([]).remove()  # by a process that comes after
    fence.disown()
    assert nft("list ruleset") == before


def ns_hundreds(lan):
    """The cost of a packet does not grow with them, nor that of a change of one."""
    v4 = [IPv4Address("10.99.1.0") + i for i in range(500)]
    v6 = [IPv6Address("fd00:99::1000") + i for i in range(500)]
    lan.hold(*v4[-2:], *v6[-2:])
    fence = Fence(v4 + v6)
    fence.install()
    assert lan.answers(*v4[-2:], *v6[-2:]) == [False] * 4
    fence.open(v4 + v6[:-1])
    assert lan.answers(*v4[-2:], *v6[-2:]) == [True, True, True, False]
    fence.close(v4[1:])
    assert lan.answers(*v4[-2:], *v6[-2:]) == [False, False, True, False]


def ns_opening_waits_for_nobody(lan):
    """A grace period of RCU takes some milliseconds; to open and close takes a fraction of one."""
    fence = Fence([V4, V6])
    fence.install()
    spans = []
    for _ in range(200):
        began = time.perf_counter()
        fence.open([V4, V6])
        fence.close([V4, V6])
        spans.append(time.perf_counter() - began)
    assert statistics.median(spans) < 0.002


def ns_its_socket_is_closed_early(lan):
    """The kernel goes through a dying process' descriptors from the highest down."""
    assert 900 <= Fence([V4]).fileno() < 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    assert 200 <= Fence([V4]).fileno() < 250
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    fence = Fence([V4])
    assert fence.fileno() < 64
    fence.install()


def ns_without_privileges(lan):
    """An ordinary OSError, with its errno."""
    command = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", sys.executable, __file__, "try_to_install"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=20).stdout == "EPERM"


def try_to_install():
    try:
        Fence([V4]).install()
    except PermissionError:
        print("EPERM", end="")


# -- outside --------------------------------------------------------------------------------------------------------

SCENARIOS = [name for name in dir() if name.startswith("ns_")]


def obstacle():
    """What keeps these tests from running here, or None, and the command that makes a namespace."""
    missing = [tool for tool in ("unshare", "ip", "nft", "setpriv") if not shutil.which(tool)]
    if missing:
        return f"needs {' and '.join(missing)}", []
    commands = [["unshare", "-n"], ["unshare", "-Urn"]] if os.geteuid() == 0 else [["unshare", "-Urn"]]
    for command in commands:
        if subprocess.run([*command, "nft", "list", "tables"], capture_output=True).returncode == 0:
            return None, command
    return "no network namespaces with nftables here: needs root, or `unshare -Urn`", []


@pytest.mark.netns
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_in_a_namespace(scenario):
    reason, command = obstacle()
    if reason:
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    program = [sys.executable, "-W", "error", __file__, scenario]
    done = subprocess.run([*command, *program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    globals()[name](*([Lan()] if name.startswith("ns_") else arguments))
