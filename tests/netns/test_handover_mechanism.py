"""Open downloads go on while their VIP moves: the conversation, and what it does to two kernels, on a real LAN.

This file is also the programs that run on the lab's hosts: a node (handovers as in the product, VRRP only played), a
server that answers on the VIPs, a client with downloads and a stream of short connections.
"""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from ipaddress import IPv4Interface, IPv6Interface, ip_address

import pytest
import trio

from hapair.handover.carrier import Carrier
from hapair.handover.events import CutShort, FitnessReported, LinkUp, Moved, RoutersReported, Standing
from vrrp.config import VirtualRouterConfig
from vrrp.events import HandedOver, TakeOver

pytestmark = [pytest.mark.netns, pytest.mark.slow]

VIPS = ("192.168.1.100", "fd00:1::100")
ROUTERS = (
    VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.168.1.100/24"),)),
    VirtualRouterConfig(
        name="lan6",
        vrid=52,
        interface="eth0",
        addresses=(IPv6Interface("fe80::100/64"), IPv6Interface("fd00:1::100/64")),
    ),
)
PORT = 8080
CHUNK, LAST, PACE_S, AT_ONCE = 4096, -1, 0.1, 30

# -- the node -------------------------------------------------------------------------------------------------------


class Node:
    """A Carrier between the test, which is the link, and a VRRP that does as it is told at once."""

    def __init__(self, active, peer, drain_s):
        self.peer = peer
        self.active = active
        self.carrier = Carrier(
            ROUTERS,
            drain_s=drain_s,
            send=lambda data: say(message=data.decode()),
            tell_announcer=self.vrrp,
            live_on=lambda routers: say(live_on=sorted(routers)),
        )

    async def run(self):
        async with trio.open_nursery() as nursery:
            self.nursery = nursery
            nursery.start_soon(self.carrier.run)
            self.carrier.tell(LinkUp(self.peer))
            self.carrier.tell(FitnessReported(None, 3))
            if self.active:
                self.become_active()
            self.report()
            say(ready=True)
            async for line in lines_of(trio.lowlevel.FdStream(os.dup(0))):
                if "message" in line:
                    self.carrier.received(line["message"].encode())
                elif "handover" in line:
                    nursery.start_soon(self.hand_over, line["handover"])
                elif "cut" in line:
                    self.carrier.tell(CutShort(line["cut"]))
                else:
                    assert "take_back" in line
                    self.become_active()

    async def hand_over(self, reason):
        async for news in self.carrier.hand_over(reason):
            if isinstance(news, Moved):
                say(ok=news.ok, words=news.words, flows=news.flows)
        await self.carrier.until_given()
        say(given=True)

    def vrrp(self, told):
        if isinstance(told.event, TakeOver):
            self.become_active()
        elif isinstance(told.event, HandedOver):
            move_addresses("delete")
            self.active = False
            self.report()

    def become_active(self):
        self.active = True
        move_addresses("add")
        announce()
        self.report()

    def report(self):
        standing = Standing("Active" if self.active else "Backup", settled=self.active)
        self.carrier.tell(RoutersReported({router.name: standing for router in ROUTERS}))


def say(**what):
    print(json.dumps(what), flush=True)


async def lines_of(stream):
    buffer = b""
    async for data in stream:
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            yield json.loads(line)


def move_addresses(verb):
    for router in ROUTERS:
        for vip in router.addresses:
            flags = ["nodad"] if vip.version == 6 and verb == "add" else []
            subprocess.run(["ip", "address", verb, str(vip), "dev", "eth0", *flags], check=True)


def announce():
    """Gratuitous ARP, unsolicited neighbour advertisement."""
    link = subprocess.run(["ip", "-json", "link", "show", "eth0"], capture_output=True, check=True).stdout
    mac = bytes.fromhex(json.loads(link)[0]["address"].replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("eth0", 0))
        vip = ip_address(VIPS[0]).packed
        sock.send(b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + mac + vip + bytes(6) + vip)
        vip, group = ip_address(VIPS[1]).packed, ip_address("ff02::1").packed
        body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + vip + b"\x02\x01" + mac
        words = vip + group + struct.pack("!II", len(body), 58) + body
        total = sum(struct.unpack(f"!{len(words) // 2}H", words))
        total = (total & 0xFFFF) + (total >> 16)
        body = body[:2] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + body[4:]
        header = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + vip + group
        sock.send(bytes.fromhex("333300000001") + mac + b"\x86\xdd" + header + body)


# -- server and client ----------------------------------------------------------------------------------------------


def content(seed, chunk):
    return hashlib.shake_128(f"{seed}/{chunk}".encode()).digest(CHUNK)


def is_whole(seed, received):
    """Whether nothing is missing between the first chunk and the last."""
    count = len(received) // CHUNK
    chunks = [*(content(seed, chunk) for chunk in range(count - 1)), content(seed, LAST)]
    return received == b"".join(chunks)


async def serve(name):
    """A download goes on until there is a line of standard input."""
    enough = trio.Event()

    async def listen():
        async for _ in lines_of(trio.lowlevel.FdStream(os.dup(0))):
            enough.set()

    async def handle(stream):
        try:
            asked = (await stream.receive_some(100)).decode()
            if asked == "who":
                await stream.send_all(name.encode())
                return
            chunk = 0
            while not enough.is_set():
                await stream.send_all(content(asked, chunk))
                chunk += 1
                with trio.move_on_after(PACE_S):
                    await enough.wait()
            await stream.send_all(content(asked, LAST))
        except trio.BrokenResourceError:
            pass
        finally:
            await stream.aclose()

    listeners = []
    for vip in VIPS:
        family = socket.AF_INET6 if ":" in vip else socket.AF_INET
        sock = trio.socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(*((socket.IPPROTO_IPV6, 78, 1) if ":" in vip else (socket.IPPROTO_IP, 15, 1)))  # freebind
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await sock.bind((vip, PORT))
        sock.listen(1024)
        listeners.append(trio.SocketListener(sock))
    say(ready=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await trio.serve_listeners(handle, listeners)


async def be_client(downloads):
    """`downloads` to each VIP, all at once; and a short connection to each every 10 ms until they have ended.

    On a busy machine there are fewer of the short ones: never more than AT_ONCE to each.
    """
    outcome = {"whole": 0, "broken": [], "answers": {}, "failed": []}
    begun = 0

    def begin():
        nonlocal begun
        begun += 1
        if begun == downloads * len(VIPS):
            say(begun=True)

    async def download(vip, number):
        seed = f"{vip}-{number}"
        received = b""
        try:
            async with await trio.open_tcp_stream(vip, PORT) as stream:
                await stream.send_all(seed.encode())
                async for data in stream:
                    if not received:
                        begin()
                    received += data
        except OSError as error:
            outcome["broken"].append(f"{seed}: {error}")
        except trio.BrokenResourceError as error:
            outcome["broken"].append(f"{seed}: {error.__cause__}")
        else:
            outcome["whole"] += is_whole(seed, received)

    async def ask_who(vip, room):
        async with room:
            await ask_in_room(vip)

    async def ask_in_room(vip):
        began = trio.current_time()
        try:
            with trio.fail_after(60):
                async with await trio.open_tcp_stream(vip, PORT) as stream:
                    await stream.send_all(b"who")
                    name = (await stream.receive_some(100)).decode() or "nobody"
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            outcome["failed"].append(f"{vip}: {error!r}")
        else:
            outcome["answers"][name] = outcome["answers"].get(name, 0) + 1
            outcome["slowest_s"] = max(outcome.get("slowest_s", 0.0), round(trio.current_time() - began, 3))

    async def ask_on(vip, nursery):
        room = trio.CapacityLimiter(AT_ONCE)
        while True:
            nursery.start_soon(ask_who, vip, room)
            await trio.sleep(0.01)
            while room.statistics().tasks_waiting:  # noqa: ASYNC110
                await trio.sleep(0.01)

    async with trio.open_nursery() as askers, trio.open_nursery() as loops:
        for vip in VIPS:
            loops.start_soon(ask_on, vip, askers)
        async with trio.open_nursery() as nursery:
            for number in range(downloads):
                for vip in VIPS:
                    nursery.start_soon(download, vip, number)
        loops.cancel_scope.cancel()
    say(**outcome)


ASK_WHO = """\
import socket, sys
for vip in sys.argv[2:]:
    for _ in range(5):
        try:
            s = socket.create_connection((vip, int(sys.argv[1])), 0.9)
        except TimeoutError:
            continue
        s.settimeout(20)
        s.send(b"who")
        print(s.recv(9).decode())
        break
"""

# -- the test -------------------------------------------------------------------------------------------------------


class Program:
    """A program of this file on a host, and what it said."""

    def __init__(self, process):
        self.process = process
        self.said = []
        self.heard = trio.Condition()

    async def listen(self):
        async for line in lines_of(self.process.stdout):
            async with self.heard:
                self.said.append(line)
                self.heard.notify_all()

    async def tell(self, **what):
        await self.process.stdin.send_all(json.dumps(what).encode() + b"\n")

    async def until(self, key, value=None, limit_s=30):
        """The first line with this key; with this value, where one is given."""
        with trio.fail_after(limit_s):
            async with self.heard:
                while not (found := [line for line in self.said if key in line and value in (None, line[key])]):
                    await self.heard.wait()
        return found[0]


async def start(nursery, host, *arguments):
    process = await host.start(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        log="program.log",
    )
    program = Program(process)
    nursery.start_soon(program.listen)
    return program


async def connect(one, other):
    """The link: what one says, the other hears."""
    passed = 0
    while True:
        async with one.heard:
            while passed == len(one.said):
                await one.heard.wait()
        if "message" in one.said[passed]:
            with contextlib.suppress(trio.BrokenResourceError):  # it is dead
                await other.tell(message=one.said[passed]["message"])
        passed += 1


class Scene:
    """Two nodes with a server each, and a client that counts resets."""

    def __init__(self, lab, nursery):
        self.lab = lab
        self.nursery = nursery

    async def set(self, *, drain_s=30, path_b=""):
        lab, nursery = self.lab, self.nursery
        self.a = await lab.host("pi-a", "192.168.1.11")
        self.b = await lab.host("pi-b", "192.168.1.12")
        self.client = await lab.host("client", "192.168.1.50")
        for host, address in ((self.a, "fd00:1::11"), (self.b, "fd00:1::12"), (self.client, "fd00:1::50")):
            await host.run(["ip", "address", "add", f"{address}/64", "dev", "eth0", "nodad"])
        chain = "chain in { type filter hook input priority 0 \n tcp flags & rst == rst counter \n }"
        await self.client.run(["nft", "table inet count { " + chain + " \n }"])
        self.node_a = await start(nursery, self.a, "node", "active", "pi-b", str(drain_s))
        self.node_b = await start(nursery, self.b, "node", "backup", "pi-a", "30", path_b)
        self.servers = [await start(nursery, host, "server", host.name) for host in (self.a, self.b)]
        for server in self.servers:
            await server.until("ready")
        await self.node_a.until("ready")
        await self.node_b.until("ready")
        nursery.start_soon(connect, self.node_a, self.node_b)
        nursery.start_soon(connect, self.node_b, self.node_a)

    async def downloads(self, count):
        """Start them, and wait until all of them run."""
        client = await start(self.nursery, self.client, "client", str(count))
        await client.until("begun")
        return client

    async def finish(self, client):
        """Let the downloads end; what became of them."""
        for server in self.servers:
            with contextlib.suppress(trio.BrokenResourceError):  # it is dead
                await server.tell(enough=True)
        return await client.until("whole")

    async def resets(self):
        listing = (await self.client.run(["nft", "-j", "list", "table", "inet", "count"])).stdout
        rules = [one["rule"] for one in json.loads(listing)["nftables"] if "rule" in one]
        return next(part["counter"]["packets"] for part in rules[0]["expr"] if "counter" in part)

    async def who_answers(self):
        """For each VIP. At least one of the first packets was not lost: a second one comes after a second."""
        run = await self.client.run([sys.executable, "-c", ASK_WHO, str(PORT), *VIPS])
        return run.stdout.decode().split()

    async def left_over(self):
        """Rules and routes of a handover, on both nodes."""
        found = b""
        for host in (self.a, self.b):
            found += (await host.run(["nft", "list", "tables"])).stdout
            for family in ("-4", "-6"):
                show = ["ip", family, "route", "show", "table", "local", "proto", "113"]
                found += (await host.run(show)).stdout
        return found.decode()

    async def mac_for_vip(self):
        """Whom the client believes to have the IPv4 VIP."""
        return (await self.client.run(["ip", "neighbour", "show", VIPS[0]])).stdout.decode().split()[4]


async def knows(host, address):
    """Whether its kernel has the MAC address of a neighbour."""
    return b" lladdr " in (await host.run(["ip", "-4", "neighbour", "show", address])).stdout


async def mac_of(host):
    return json.loads((await host.run(["ip", "-json", "link", "show", "eth0"])).stdout)[0]["address"]


@pytest.fixture
async def scene(lab, nursery):
    return Scene(lab, nursery)


async def test_downloads_go_on_and_new_connections_reach_the_peer(scene, capsys):
    await scene.set()
    client = await scene.downloads(100)
    await scene.node_a.tell(handover="maintenance")
    moved = await scene.node_a.until("ok")
    # In the midst of it the old node must ask who has the client, and may not tell it who has the VIP. Its announcer's
    # fence is closed for a VIP that it has released.
    fence = f"chain out {{ type filter hook output priority -500 \n arp saddr ip {VIPS[0]} drop \n }}"
    await scene.a.run(["nft", "table arp fence { " + fence + " \n }"])
    await scene.a.run(["ip", "neighbour", "flush", "dev", "eth0"])
    with trio.fail_after(30):
        while not await knows(scene.a, scene.client.address):  # noqa: ASYNC110
            await trio.sleep(0.05)
    outcome = await scene.finish(client)
    await scene.node_a.until("given")
    resets = await scene.resets()
    with capsys.disabled():
        print("\n", moved["words"], outcome, f"{resets} resets")
    assert outcome["broken"] == []
    assert outcome["whole"] == 200
    assert outcome["failed"] == []
    assert outcome["answers"].keys() == {"pi-a", "pi-b"}
    assert moved["flows"] >= 200
    assert resets == 0
    assert await scene.mac_for_vip() == await mac_of(scene.b)
    await scene.a.run(["nft", "delete table arp fence"])
    assert await scene.left_over() == ""


async def test_a_client_that_has_not_heard_of_the_move_is_sent_on(scene):
    await scene.set()
    """Its first packet goes to the old node, as it does when the announcement crosses it on the way."""
    client = await scene.downloads(5)
    await scene.node_a.tell(handover="maintenance")
    await scene.node_a.until("ok")
    to_a = f"tcp flags & (syn | ack) == syn ether daddr set {await mac_of(scene.a)}"
    chain = f'chain late {{ type filter hook egress device "eth0" priority 0 \n {to_a} \n }}'
    await scene.client.run(["nft", "table netdev late { " + chain + " \n }"])
    assert await scene.who_answers() == ["pi-b", "pi-b"]
    outcome = await scene.finish(client)
    assert (outcome["whole"], outcome["broken"]) == (10, [])


async def test_without_nft_at_the_peer_the_vips_move_and_connections_are_cut(scene, tmp_path):
    bare = tmp_path / "bin"
    bare.mkdir()
    (bare / "ip").symlink_to(shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin"))
    await scene.set(path_b=str(bare))
    await scene.downloads(3)
    await scene.node_a.tell(handover="maintenance")
    moved = await scene.node_a.until("ok")
    assert moved["ok"]
    assert "open connections are cut: there is no nft on this machine (apt install nftables)" in moved["words"]
    assert await scene.who_answers() == ["pi-b", "pi-b"]
    assert await scene.left_over() == ""


async def test_at_the_deadline_there_still_is_a_way_for_the_end_of_connections(scene):
    await scene.set(drain_s=0.7)
    client = await scene.downloads(3)
    await scene.node_a.tell(handover="maintenance")
    await scene.node_a.until("ok")
    await scene.node_a.until("live_on", [])
    assert [line["live_on"] for line in scene.node_a.said if "live_on" in line] == [["lan", "lan6"], []]
    scene.a.kill(*scene.a.find("server"))
    await scene.node_a.until("given")
    outcome = await client.until("whole")  # the end has reached it: else it would wait for more
    assert outcome["whole"] == 0
    assert await scene.left_over() == ""


async def test_when_the_peer_dies_the_addresses_come_back_and_downloads_never_notice(scene):
    """The addresses are put on beside the routes; taking the routes away must not take the addresses' own."""
    await scene.set()
    client = await scene.downloads(20)
    await scene.node_a.tell(handover="maintenance")
    await scene.node_a.until("ok")
    await scene.b.kill_all()
    await scene.b.blackhole(on=True)
    await scene.node_a.tell(take_back=True)
    await scene.node_a.until("given")
    outcome = await scene.finish(client)
    assert (outcome["whole"], outcome["broken"]) == (40, [])
    local = (await scene.a.run(["ip", "route", "show", "table", "local", VIPS[0]])).stdout.decode()
    assert local.split()[:6] == ["local", VIPS[0], "dev", "eth0", "proto", "kernel"]
    assert await scene.client.run(["ping", "-c", "1", "-W", "1", VIPS[0]])
    assert await scene.client.run(["ping", "-c", "1", "-W", "1", VIPS[1]])


async def test_what_a_killed_node_left_is_removed_when_it_starts(scene):
    await scene.set()
    await scene.downloads(3)
    await scene.node_a.tell(handover="maintenance")
    await scene.node_a.until("ok")
    scene.a.kill(*scene.a.find("node"))
    scene.b.kill(*scene.b.find("node"))
    assert "proto 113" in await scene.left_over() or "hapair_handover" in await scene.left_over()
    for host in (scene.a, scene.b):
        node = await start(scene.nursery, host, "node", "backup", "nobody", "30")
        await node.until("ready")
        await let_go_of(host)
    assert await scene.left_over() == ""


async def let_go_of(host, limit_s=20):
    """The start of a node removes things beside its other work."""
    with trio.fail_after(limit_s):
        while b"hapair" in (await host.run(["nft", "list", "tables"])).stdout:  # noqa: ASYNC110
            await trio.sleep(0.05)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "node":
        os.environ["PATH"] = next(iter(rest[3:]), "") or os.environ["PATH"]
        trio.run(Node(rest[0] == "active", rest[1], float(rest[2])).run)
    elif what == "server":
        trio.run(serve, rest[0])
    else:
        trio.run(be_client, int(rest[0]))
