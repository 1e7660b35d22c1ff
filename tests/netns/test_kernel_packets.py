"""What has no ports finds its flow all the same: fragments of datagrams, and ICMP errors by what they quote."""

import sys

import pytest

from hapair.lab.greeter import asked, greeting
from hapair.lab.kernel_pair import VIP6, furnish
from hapair.lab.pair import SERVERS, VIP
from hapair.lab.programs import at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

PORT = 8080
FILE = """\
frontends:
  web: {{listen: ["192.168.1.100:8080", "[fd00:51::100]:8080"], mode: tcp, plane: kernel, forward: {way}, pool: web}}
  dns: {{listen: ["192.168.1.100:8080", "[fd00:51::100]:8080"], mode: udp, plane: kernel, forward: {way}, pool: web}}
pools:
  web:
    policy: random
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      web3: 192.168.1.23:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
"""
BIG = """\
import socket, sys
for host in sys.argv[1:]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.sendto(bytes(4000), (host, 8080))
        print(sock.recv(100).decode().split(" ")[2])
"""
# Says hello, and tells the VIP by ICMP that a packet of the answer was too big, as a router on the way would.
QUOTE = """\
import socket, struct, sys
host, kind = sys.argv[1:]
family, is_tcp = socket.AF_INET6 if ":" in host else socket.AF_INET, kind == "tcp"
with socket.socket(family, socket.SOCK_STREAM if is_tcp else socket.SOCK_DGRAM) as sock:
    sock.settimeout(3)
    sock.connect((host, 8080))
    sock.send(b"hello\\n")
    name = sock.recv(100).decode().split(" ")[0]
    ends = b"".join(socket.inet_pton(family, end) for end in (host, sock.getsockname()[0]))
    ports = struct.pack("!HHI", 8080, sock.getsockname()[1], 0)
    if ":" in host:
        quoted = struct.pack("!IHBB", 6 << 28, 1460, 6 if is_tcp else 17, 64) + ends + ports
        error, protocol = struct.pack("!BBHI", 2, 0, 0, 1400) + quoted, socket.IPPROTO_ICMPV6
    else:
        quoted = struct.pack("!BBHHHBBH", 0x45, 0, 1500, 1, 0x4000, 64, 6 if is_tcp else 17, 0) + ends + ports
        error, protocol = struct.pack("!BBHHH", 3, 4, 0, 0, 1400) + quoted, socket.IPPROTO_ICMP
        total = sum(struct.unpack(f"!{len(error) // 2}H", error))
        total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        error = error[:2] + struct.pack("!H", total) + error[4:]
    with socket.socket(family, socket.SOCK_RAW, protocol) as icmp:
        icmp.sendto(error, (host, 0))
    print(name)
    sock.send(b"more\\n")
    sock.recv(100)
"""


@pytest.fixture(params=["nat", "dsr"])
async def net(lab, request):
    net = await furnish(lab, FILE.format(way=request.param))
    for server in net.servers:
        if request.param == "dsr":
            await server.run([*hapair("doctor"), "--server", "--apply", "--config", str(net.file), *at(server)])
            await greeting(server, [PORT], VIP, VIP6)
        else:
            await greeting(server, [PORT])
    await net.start("pi-a")
    await net.until(lambda: all_answer(net))
    return net


async def all_answer(net):
    """Each server is sent something."""
    if not await net.is_serving():
        return False
    found = [await asked(net.client, "tcp", vip, PORT, 20) for vip in (VIP, VIP6)]
    return [len(one) for one in found] == [3, 2]


async def test_fragments_follow_their_first(net):
    assert (await net.client.run([sys.executable, "-c", BIG, VIP, VIP6])).stdout == b"4000\n4000\n"


async def test_icmp_errors_follow_the_packet_that_they_quote(net):
    for vip in (VIP, VIP6):
        for kind in ("tcp", "tcp", "tcp", "udp"):
            before = await errors_heard(net)
            name = (await net.client.run([sys.executable, "-c", QUOTE, vip, kind])).stdout.decode().strip()
            after = await errors_heard(net)
            assert {one for one in after if after[one] != before[one]} == {name}, (vip, kind)


async def errors_heard(net):
    """ICMP errors of both families that each server's kernel has taken in."""
    return {name: await heard(net[name]) for name in SERVERS}


async def heard(server):
    lines = (await server.run(["cat", "/proc/net/snmp", "/proc/net/snmp6"])).stdout.decode().splitlines()
    names, values = [line.split() for line in lines if line.startswith("Icmp:")]
    six = dict(line.split() for line in lines if line.startswith("Icmp6"))
    return values[names.index("InDestUnreachs")], six["Icmp6InPktTooBigs"]
