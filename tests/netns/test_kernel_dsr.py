"""Direct server return through the real program: servers answer clients themselves, and a failover costs nothing."""

import json
import re
import sys

import pytest
import trio

from hapair.lab.greeter import asked, greeting
from hapair.lab.kernel_pair import VIP6, furnish
from hapair.lab.pair import SERVERS, VIP
from hapair.lab.programs import at, hapair
from hapair.lab.streams import serving, streaming

pytestmark = [pytest.mark.netns, pytest.mark.slow]

PORT = 8080
FILE = """\
frontends:
  web: {listen: ["192.168.1.100:8080", "[fd00:51::100]:8080"], mode: tcp, plane: kernel, forward: dsr, pool: web}
  dns: {listen: ["192.168.1.100:8080", "[fd00:51::100]:8080"], mode: udp, plane: kernel, forward: dsr, pool: dns}
  streams:
    listen: ["192.168.1.100:8081", "[fd00:51::100]:8081"]
    mode: tcp
    plane: kernel
    forward: dsr
    pool: streams
  range: {listen: ["192.168.1.100:8082-8099"], mode: tcp, plane: kernel, forward: dsr, pool: range}
pools:
  range: {policy: random, servers: {web1: "192.168.1.21:8082"}}
  web:
    policy: random
    check: {tcp: connect, interval: 200ms, timeout: 200ms, rise: 1, fall: 2}
    servers: &eight
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      web3: 192.168.1.23:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
"""


def pool(name, port):
    lines = [f"      web{i}: 192.168.1.2{i}:{port}" for i in (1, 2, 3)]
    lines += [f'      six{i}: "[fd00:51::2{i}]:{port}"' for i in (1, 2)]
    return f"  {name}:\n    policy: random\n    servers:\n" + "\n".join(lines) + "\n"


@pytest.fixture
async def net(lab):
    net = await furnish(lab, FILE.replace(" &eight", "") + pool("dns", 8080) + pool("streams", 8081))
    for server in net.servers:
        assert (await doctor(net, server, "--apply")).returncode == 0
        await greeting(server, [PORT, 8090], VIP, VIP6)
        await serving(server, 8081)
    await net.start()
    await net.until(lambda: is_ready(net))
    return net


async def doctor(net, server, *words):
    """On a server, which is no node of the file."""
    options = ["--config", str(net.file), *at(server)]
    return await server.run([*hapair("doctor"), "--server", *words, *options], check=False)


async def is_ready(net):
    """The first node is ACTIVE and both know every server's MAC address."""
    if (await net.status(net.nodes[0]))["role"] != "ACTIVE":
        return False
    listed = [(await node.run(["nft", "list", "tables"])).stdout for node in net.nodes]
    if not all(b"table netdev hapair" in one for one in listed):
        return False
    wanted = [(node, family, count) for node in net.nodes for family, count in ((4, 3), (6, 2))]
    return all([await has(node, f"f2_streams_{family}_places", count) for node, family, count in wanted])


async def sends_to(node, name, mac):
    """Whether frames are sent to this MAC address, and a table of places names three servers."""
    listed = (await node.run(["nft", "list", "table", "netdev", "hapair"], check=False)).stdout.decode()
    return f"set 0x{mac.replace(':', '').lstrip('0')}" in listed and await has(node, name, 3)


async def has(node, name, servers):
    """Whether a table of places names so many servers."""
    listed = (await node.run(["nft", "list", "map", "netdev", "hapair", name], check=False)).stdout.decode()
    return len(set(re.findall(r"\d+ : goto (\w+)_way", listed))) == servers


async def test_servers_answer_clients_themselves(net):
    client = net.client
    tcp4 = await asked(client, "tcp", VIP, PORT, 60)
    assert set(tcp4) == {"web1 192.168.1.50", "web2 192.168.1.50", "web3 192.168.1.50"}
    assert set(await asked(client, "tcp", VIP6, PORT, 40)) == {"web1 fd00:51::50", "web2 fd00:51::50"}
    [udp4] = await asked(client, "udp", VIP, PORT, 10)
    [udp6] = await asked(client, "udp", VIP6, PORT, 10)
    assert {udp4, udp6} <= {*tcp4, "web1 fd00:51::50", "web2 fd00:51::50"}  # by its address: always the same
    assert set(await asked(client, "tcp", VIP, 8090, 3)) == {"web1 192.168.1.50"}
    # A server gets another network card, and says something.
    mac = "02:00:00:00:99:01"
    await net["web3"].run(["ip", "link", "set", "dev", "eth0", "address", mac])
    for node in net.nodes:
        await net["web3"].run(["ping", "-c", "1", "-W", "1", node.address], check=False)
    await net.until(lambda: sends_to(net.nodes[0], "f0_web_4_places", mac))
    assert set(await asked(client, "tcp", VIP, PORT, 60)) == set(tcp4)
    await net["web2"].unplug()
    await net.until(lambda: has(net.nodes[0], "f0_web_4_places", 2))
    assert set(await asked(client, "tcp", VIP, PORT, 40)) == {"web1 192.168.1.50", "web3 192.168.1.50"}


async def test_a_server_is_furnished_by_doctor_and_as_it_was_after_it(net):
    server, vips = net["web1"], {VIP, VIP6}
    settings = ["sysctl", "-n", "net.ipv4.conf.all.arp_ignore", "net.ipv4.conf.all.arp_announce"]
    assert (await server.run(settings)).stdout == b"1\n2\n"
    again = (await doctor(net, server, "--apply")).stdout.decode().splitlines()
    assert {line[:4] for line in again} == {"ok  "}
    assert {f"ok   {vip} is on lo, added by hapair" for vip in vips} <= set(again)
    assert (await doctor(net, net.nodes[0], "--apply")).returncode == 1
    assert (await doctor(net, server, "--undo")).returncode == 0
    assert (await server.run(settings)).stdout == b"0\n0\n"
    listed = json.loads((await server.run(["ip", "-json", "address", "show", "dev", "lo"])).stdout)
    assert vips.isdisjoint(one["local"] for one in listed[0]["addr_info"])


async def test_a_server_that_does_not_answer_at_the_vip_is_down_and_says_why(net):
    a, b = net.nodes
    await net.until(lambda: has_checked(net))
    for server, vip, device in (("web2", f"{VIP}/32", "lo"), ("web1", f"{VIP6}/128", "lo")):
        await net[server].run(["ip", "address", "delete", vip, "dev", device])
    for node in (a, b):
        await net.until(
            lambda node=node: is_said(net, node, web2=f"at {VIP}, by its MAC address", six1=f"at {VIP6}, by")
        )
    told = await servers(net, a)
    assert {name for name, one in told.items() if one["up"]} == {"web1", "web3", "six2"}
    for server, vip in (("web2", f"{VIP}/32"), ("web1", f"{VIP6}/128")):
        await net[server].run(["ip", "address", "add", vip, "dev", "lo"])
    await net.until(lambda: all_up(net, a))


async def servers(net, node):
    [web] = [pool for pool in (await net.status(node))["pools"] if pool["name"] == "web"]
    return {server["name"]: server for server in web["servers"]}


async def has_checked(net):
    """Its rules are in place, and all are UP by them."""
    listed = (await net.nodes[0].run(["nft", "list", "table", "netdev", "hapair"])).stdout.decode()
    return listed.count("meta mark") == 2 and await all_up(net, net.nodes[0])


async def all_up(net, node):
    return all(one["up"] for one in (await servers(net, node)).values())


async def is_said(net, node, **reasons):
    told = await servers(net, node)
    return all(not told[name]["up"] and reason in told[name]["reason"] for name, reason in reasons.items())


BIG = """\
import socket
for host in ("192.168.1.100", "fd00:51::100"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.sendto(bytes(4000), (host, 8080))
        print(sock.recv(100).decode().split(" ")[2])
"""
QUOTE = """\
import socket, struct
with socket.create_connection(("192.168.1.100", 8080)) as sock:
    sock.send(b"hello\\n")
    name = sock.recv(100).decode().split(" ")[0]
    vip, me = socket.inet_aton("192.168.1.100"), socket.inet_aton("192.168.1.50")
    quoted = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1500, 1, 0x4000, 64, 6, 0, vip, me)
    quoted += struct.pack("!HHI", 8080, sock.getsockname()[1], 0)
    body = struct.pack("!BBHHH", 3, 4, 0, 0, 1400) + quoted
    total = sum(struct.unpack(f"!{len(body) // 2}H", body))
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        icmp.sendto(body[:2] + struct.pack("!H", total) + body[4:], ("192.168.1.100", 0))
    print(name)
    sock.send(b"more\\n")
    sock.recv(100)
"""


async def test_fragments_follow_their_first_and_icmp_errors_the_packet_that_they_quote(net):
    client, a = net.client, net.nodes[0]
    assert (await client.run([sys.executable, "-c", BIG])).stdout == b"4000\n4000\n"
    for _ in range(4):
        before, errors = await received(a), await errors_heard(net)
        name = (await client.run([sys.executable, "-c", QUOTE])).stdout.decode().strip()
        after = await received(a)
        assert {server for server in before if before[server] != after[server]} == {name}
        assert {one for one, count in (await errors_heard(net)).items() if count != errors[one]} == {name}


async def errors_heard(net):
    """ICMP errors that each server's kernel has taken in."""
    found = {}
    for name in SERVERS:
        lines = (await net[name].run(["cat", "/proc/net/snmp"])).stdout.decode().splitlines()
        names, values = [line.split() for line in lines if line.startswith("Icmp:")]
        found[name] = values[names.index("InDestUnreachs")]
    return found


async def received(node):
    """Packets to each server of web, by its name."""
    listed = json.loads((await node.run(["nft", "-j", "list", "counters"])).stdout)["nftables"]
    found = {one["counter"]["name"]: one["counter"]["packets"] for one in listed if "counter" in one}
    return {f"web{i + 1}": found[f"f0_web_4_{i}_web{i + 1}_in"] for i in range(3)}


@pytest.mark.parametrize("fault", ["kill", "unplug"])
async def test_open_streams_do_not_notice_a_failover(net, fault):
    a, b = net.nodes
    async with streaming(net.client, [VIP, VIP6], 8081, downloads=10, uploads=10) as streams:
        await (a.kill_all() if fault == "kill" else a.unplug())
        assert await b.addresses.until(VIP, present=True, within_s=30)
        await trio.sleep(3)
        report = await streams.finish()
    assert (report.whole, report.broken) == (40, 0), report
    assert report.longest_download_stall_s < 20
