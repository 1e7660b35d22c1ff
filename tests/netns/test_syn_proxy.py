"""A real flood of SYNs: servers behind `syn_proxy` hear nothing of it, and clients are served meanwhile."""

import json
import re
import sys

import pytest

from hapair.lab.greeter import asked, greeting
from hapair.lab.kernel_pair import VIP6, furnish
from hapair.lab.pair import VIP
from hapair.lab.programs import hapair
from hapair.lab.streams import serving, streaming

pytestmark = [pytest.mark.netns, pytest.mark.slow]

FILE = """\
frontends:
  guarded: {listen: ["192.168.1.100:80", "[fd00:51::100]:80"], mode: tcp, plane: kernel, syn_proxy: true, pool: web}
  open: {listen: ["192.168.1.100:81"], mode: tcp, plane: kernel, pool: web}
  streams: {listen: ["192.168.1.100:82", "[fd00:51::100]:82"], mode: tcp, plane: kernel, syn_proxy: true, pool: streams}
pools:
  web: {servers: {web1: "192.168.1.21:8080", six1: "[fd00:51::21]:8080"}}
  streams: {servers: {web1: "192.168.1.21:8081", six1: "[fd00:51::21]:8081"}}
"""
FLOOD = """\
import random, socket, struct, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
vip = socket.inet_aton("192.168.1.100")
def total(data):
    found = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while found >> 16:
        found = (found & 0xFFFF) + (found >> 16)
    return ~found & 0xFFFF
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
    for _ in range(count):
        source = socket.inet_aton(f"192.168.1.{random.randrange(120, 250)}")
        ends = random.randrange(1024, 65536), port, random.getrandbits(32)
        syn = struct.pack("!HHIIBBHHH", *ends, 0, 80, 2, 64240, 0, 0)
        check = total(source + vip + struct.pack("!HH", 6, len(syn)) + syn)
        header = struct.pack("!BBHHHBBH4s4s", 69, 0, 40, 0, 0, 64, 6, 0, source, vip)
        sock.sendto(header + syn[:16] + struct.pack("!H", check) + syn[18:], ("192.168.1.100", 0))
"""


@pytest.fixture
async def net(lab):
    net = await furnish(lab, FILE)
    await greeting(net["web1"], [8080])
    await serving(net["web1"], 8081)
    await net.start()
    await net.until(net.is_serving)
    return net


async def test_a_flood_of_syns(net):
    client, a = net.client, net.nodes[0]
    assert await asked(client, "tcp", VIP, 80, 10) == {f"web1 {VIP}": 10}
    assert await asked(client, "tcp", VIP6, 80, 10) == {f"web1 {VIP6}": 10}
    assert await asked(net.nodes[1], "tcp", VIP, 80, 3) == {f"web1 {VIP}": 3}
    assert await new_flows(a, "f0_guarded_4") == 13
    await client.run([sys.executable, "-c", FLOOD, "80", "5000"])
    assert await asked(client, "tcp", VIP, 80, 10) == {f"web1 {VIP}": 10}
    assert await new_flows(a, "f0_guarded_4") == 23
    assert await remembered(a) < 1000
    await client.run([sys.executable, "-c", FLOOD, "81", "2000"])  # what it is like without
    assert await new_flows(a, "f1_open_4") >= 1900
    assert await remembered(a) >= 1900
    async with streaming(client, [VIP, VIP6], 82, downloads=3, uploads=3) as streams:
        report = await streams.finish()
    assert (report.whole, report.broken) == (12, 0), report


async def test_settings_are_changed_remembered_and_put_back(net):
    a = net.nodes[0]
    loose = ["sysctl", "-n", "net.netfilter.nf_conntrack_tcp_loose"]
    assert (await a.run(loose)).stdout == b"0\n"
    said = (await a.run([*hapair("doctor"), *net.options("pi-a")])).stdout.decode()
    assert "ok   net.netfilter.nf_conntrack_tcp_loose was 1 before hapair changed it, and will be again" in said
    a.terminate("hapair", "up")
    await a.last_started().wait()
    assert (await a.run(loose)).stdout == b"1\n"


async def new_flows(node, name):
    """Flows that began to servers of a service."""
    listed = json.loads((await node.run(["nft", "-j", "list", "counters"])).stdout)["nftables"]
    found = {one["counter"]["name"]: one["counter"]["packets"] for one in listed if "counter" in one}
    return sum(count for one, count in found.items() if re.fullmatch(rf"{name}_\d+_\w+_new", one))


async def remembered(node):
    return int((await node.run(["sysctl", "-n", "net.netfilter.nf_conntrack_count"])).stdout)
