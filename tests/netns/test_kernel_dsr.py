"""Direct server return through the real program: servers answer clients themselves, and a failover costs nothing.

The lab's servers and client run the programs of tests/netns/test_kernel_plane.py.
"""

import json
import re
import sys
from pathlib import Path

import pytest
import trio

from hapair import secret
from hapair.lab.pair import NODES, SERVERS, VIP
from hapair.lab.programs import at, hapair
from hapair.lab.streams import serving, streaming

pytestmark = [pytest.mark.netns, pytest.mark.slow]

VIP6 = "fd00:51::100"
PORT = 8080
FILE = """\
pair:
  nodes: {pi-a: 192.168.1.11, pi-b: 192.168.1.12}
  secret_file: pair.key
virtual_routers:
  lan:
    vrid: 51
    interface: eth0
    addresses: [192.168.1.100/24]
    excluded_addresses: ["fd00:51::100/64"]
    priority: {pi-a: 200, pi-b: 100}
    advertisement_interval: 100ms
    hold_down: 0s
frontends:
  web: {listen: ["192.168.1.100:8080", "[fd00:51::100]:8080"], mode: tcp, plane: kernel, forward: dsr, pool: web}
  dns: {listen: ["192.168.1.100:8080", "[fd00:51::100]:8080"], mode: udp, plane: kernel, forward: dsr, pool: dns}
  streams:
    listen: ["192.168.1.100:8081", "[fd00:51::100]:8081"]
    mode: tcp
    plane: kernel
    forward: dsr
    pool: streams
pools:
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
PROGRAM = Path(__file__).with_name("test_kernel_plane.py")


def pool(name, port):
    lines = [f"      web{i}: 192.168.1.2{i}:{port}" for i in (1, 2, 3)]
    lines += [f'      six{i}: "[fd00:51::2{i}]:{port}"' for i in (1, 2)]
    return f"  {name}:\n    policy: random\n    servers:\n" + "\n".join(lines) + "\n"


def this(*words):
    return [sys.executable, str(PROGRAM), *map(str, words)]


async def asked(host, kind, vip, port, count):
    return json.loads((await host.run(this("ask", kind, vip, port, count))).stdout)


@pytest.fixture
async def net(lab):
    hosts = {name: await lab.host(name, address) for name, address in (SERVERS | NODES).items()}
    hosts["client"] = await lab.host("client", "192.168.1.50")
    for name in SERVERS:
        server = hosts[name]
        await server.run(["sysctl", "-w", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"])
        await server.run(["ip", "address", "add", f"{VIP}/32", "dev", "lo"])
        await server.run(["ip", "address", "add", f"{VIP6}/128", "dev", "lo"])
        await server.start(this("serve", name, VIP, VIP6), log="serve.log")
        await serving(server, 8081)
    file = hosts["pi-a"].folder.parent / "hapair.yaml"
    file.write_text(FILE.replace(" &eight", "") + pool("dns", 8080) + pool("streams", 8081))
    secret.make(file.with_name("pair.key"))
    for name in NODES:
        node = hosts[name]
        (node.folder / "run").mkdir()
        await node.start([*hapair("up"), "--config", str(file), "--node", name, *at(node)], log="hapair.log")
    await until(lambda: is_ready(hosts), hosts)
    return hosts


async def until(condition, hosts, within_s=20):
    with trio.move_on_after(within_s):
        while not await condition():  # noqa: ASYNC110 - the hosts tell those who ask
            await trio.sleep(0.1)
        return
    raise AssertionError("\n".join((hosts[name].folder / "hapair.log").read_text()[-3000:] for name in NODES))


async def is_ready(hosts):
    """pi-a is ACTIVE and both know every server's MAC address."""
    told = await hosts["pi-a"].run([*hapair("status"), *at(hosts["pi-a"]), "--json"], check=False)
    if told.returncode != 0 or json.loads(told.stdout)["role"] != "ACTIVE":
        return False
    listed = [(await hosts[name].run(["nft", "list", "tables"])).stdout for name in NODES]
    if not all(b"table netdev hapair" in one for one in listed):
        return False
    wanted = [(name, family, count) for name in NODES for family, count in ((4, 3), (6, 2))]
    return all([await has(hosts[name], f"f2_streams_{family}_places", count) for name, family, count in wanted])


async def has(node, name, servers):
    """Whether a table of places names so many MAC addresses."""
    listed = (await node.run(["nft", "list", "map", "netdev", "hapair", name], check=False)).stdout.decode()
    return len(set(re.findall(r"\d+ : ([0-9a-f:]{17})", listed))) == servers


async def test_servers_answer_clients_themselves(net):
    client = net["client"]
    tcp4 = await asked(client, "tcp", VIP, PORT, 60)
    assert set(tcp4) == {"web1 192.168.1.50", "web2 192.168.1.50", "web3 192.168.1.50"}
    assert set(await asked(client, "tcp", VIP6, PORT, 40)) == {"web1 fd00:51::50", "web2 fd00:51::50"}
    [udp4] = await asked(client, "udp", VIP, PORT, 10)
    [udp6] = await asked(client, "udp", VIP6, PORT, 10)
    assert {udp4, udp6} <= {*tcp4, "web1 fd00:51::50", "web2 fd00:51::50"}  # by its address: always the same
    await net["web2"].unplug()
    await until(lambda: has(net["pi-a"], "f0_web_4_places", 2), net)
    assert set(await asked(client, "tcp", VIP, PORT, 40)) == {"web1 192.168.1.50", "web3 192.168.1.50"}


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
    client, a = net["client"], net["pi-a"]
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
    a, b = net["pi-a"], net["pi-b"]
    async with streaming(net["client"], [VIP, VIP6], 8081, downloads=10, uploads=10) as streams:
        await (a.kill_all() if fault == "kill" else a.unplug())
        assert await b.addresses.until(VIP, present=True, within_s=10)
        await trio.sleep(3)
        report = await streams.finish()
    assert (report.whole, report.broken) == (40, 0), report
    assert report.longest_download_stall_s < 5
