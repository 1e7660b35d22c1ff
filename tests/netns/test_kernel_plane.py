"""The kernel plane through the real program: NAT for both families and both protocols, flips, hygiene.

This file is also the programs of the lab's hosts: a server that says who it is over TCP and UDP, a client that asks.
"""

import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter

import pytest
import trio

from hapair import secret
from hapair.lab.pair import NODES, SERVERS, VIP
from hapair.lab.programs import at, hapair

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
  web: {listen: ["192.168.1.100:80", "[fd00:51::100]:80", "192.168.1.100:81"], mode: tcp, plane: kernel, pool: web}
  sticky: {listen: ["192.168.1.100:90"], mode: tcp, plane: kernel, pool: sticky}
  dns: {listen: ["192.168.1.100:53", "[fd00:51::100]:53"], mode: udp, plane: kernel, pool: dns}
pools:
  web:
    on_down: close
    check: {tcp: connect, interval: 200ms, timeout: 200ms, rise: 1, fall: 2}
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      web3: {address: "192.168.1.23:8080", weight: 2}
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
  sticky:
    policy: source_hash
    servers: {web1: "192.168.1.21:8080", web2: "192.168.1.22:8080", web3: "192.168.1.23:8080"}
  dns:
    policy: random
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
"""

# -- programs of the hosts ------------------------------------------------------------------------------------------


async def serve(name, *addresses):
    """Says its name and who asks; over TCP for as long as lines come, over UDP once for each datagram.

    A socket of UDP for each address: what is bound to all of them answers from the wrong one.
    """

    async def converse(stream):
        peer = stream.socket.getpeername()[0]
        try:
            async for line in stream:
                await stream.send_all(f"{name} {peer} {line.decode()}".encode())
        except trio.BrokenResourceError:
            print("reset", flush=True)

    async def answer(address):
        datagrams = trio.socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        await datagrams.bind((address, PORT))
        while True:
            data, peer = await datagrams.recvfrom(65536)
            await datagrams.sendto(f"{name} {peer[0]} {len(data)}".encode(), peer)

    async with trio.open_nursery() as nursery:
        for address in addresses or ("::",):
            nursery.start_soon(answer, address)
        listeners = await nursery.start(trio.serve_tcp, converse, PORT)
        assert listeners
        print("ready", flush=True)


def ask(kind, host, port, count):
    """Who answers each of so many new flows."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = Counter()
    for _ in range(count):
        with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as sock:
            sock.settimeout(3)
            try:
                sock.connect((host, port))
                sock.send(b"hello\n")
                name, peer, _ = sock.recv(4096).decode().split(" ")
                found[f"{name} {peer.removeprefix('::ffff:')}"] += 1
            except OSError as error:
                found[type(error).__name__] += 1
    print(json.dumps(found))


def hold(host, port):
    """One connection: a line for `open`, then waits for what becomes of it."""
    with socket.create_connection((host, port), 3) as sock:
        sock.send(b"hello\n")
        say(sock.recv(4096).decode().split(" ")[0])
        sock.settimeout(20)
        try:
            end = "data" if sock.recv(1) else "end"
        except OSError as error:
            end = type(error).__name__
    say(end)


def say(word):
    """In one piece, for who reads it reads once."""
    os.write(1, f"{word}\n".encode())


# -- the lab --------------------------------------------------------------------------------------------------------


def this(*words):
    return [sys.executable, __file__, *map(str, words)]


async def asked(host, kind, vip, port, count):
    return json.loads((await host.run(this("ask", kind, vip, port, count))).stdout)


@pytest.fixture
async def net(lab):
    hosts = {name: await lab.host(name, address) for name, address in (SERVERS | NODES).items()}
    hosts["client"] = await lab.host("client", "192.168.1.50")
    for name in SERVERS:
        await hosts[name].start(this("serve", name), log="serve.log")
        await until(lambda name=name: says(hosts[name], "ready"), hosts)
    for name in NODES:
        await start(hosts[name])
    await until(lambda: is_ready(hosts["pi-a"]), hosts)
    assert hosts["pi-a"].addresses.holds(VIP6)
    return hosts


async def until(condition, hosts, within_s=20):
    with trio.move_on_after(within_s):
        while not await condition():  # noqa: ASYNC110 - the hosts tell those who ask
            await trio.sleep(0.1)
        return
    raise AssertionError("\n".join((hosts[name].folder / "hapair.log").read_text()[-3000:] for name in NODES))


async def start(node):
    file = node.folder.parent / "hapair.yaml"
    if not file.exists():
        file.write_text(FILE)
        secret.make(file.with_name("pair.key"))
    (node.folder / "run").mkdir(exist_ok=True)
    await node.start([*hapair("up"), "--config", str(file), "--node", node.name, *at(node)], log="hapair.log")


async def status(node):
    run = await node.run([*hapair("status"), *at(node), "--json"], check=False)
    return json.loads(run.stdout) if run.returncode == 0 else {"role": "", "kernel": {"obstacle": "?"}}


async def says(host, word):
    return word in (host.folder / "serve.log").read_text()


async def held(client, count):
    """Connections through the VIP, by server."""
    found = {}
    for _ in range(count):
        process = await client.start(this("hold", VIP, 80), log="hold.log", stdout=subprocess.PIPE)
        name = (await process.stdout.receive_some()).decode().strip()
        found.setdefault(name, []).append(process)
    return found


async def fate(process):
    """What a held connection ended with."""
    with trio.fail_after(15):
        return (await process.stdout.receive_some()).decode().strip()


async def table(node):
    return (await node.run(["nft", "list", "table", "inet", "hapair"], check=False)).stdout.decode()


async def forwarding(node):
    return (await node.run(["sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])).stdout


async def is_ready(node):
    told = await status(node)
    return told["role"] == "ACTIVE" and told["kernel"]["obstacle"] is None


async def test_both_protocols_both_families_weights_and_hairpin(net):
    client, a = net["client"], net["pi-a"]
    tcp4 = await asked(client, "tcp", VIP, 80, 400)
    assert set(tcp4) == {f"web1 {VIP}", f"web2 {VIP}", f"web3 {VIP}"}
    assert 180 <= tcp4[f"web3 {VIP}"] <= 220
    assert 80 <= tcp4[f"web1 {VIP}"] <= 120
    assert set(await asked(client, "tcp", VIP, 81, 30)) == set(tcp4)
    assert len(await asked(client, "tcp", VIP, 90, 30)) == 1
    assert set(await asked(client, "tcp", VIP6, 80, 50)) == {f"web1 {VIP6}", f"web2 {VIP6}"}
    assert set(await asked(client, "udp", VIP, 53, 50)) == {f"web1 {VIP}", f"web2 {VIP}"}
    assert set(await asked(client, "udp", VIP6, 53, 50)) == {f"web1 {VIP6}", f"web2 {VIP6}"}
    # Servers that are clients, and processes on either node.
    for host in (net["web1"], net["pi-b"], a):
        assert set(await asked(host, "tcp", VIP, 80, 50)) == set(tcp4), host.name
        assert set(await asked(host, "tcp", VIP6, 80, 50)) == {f"web1 {VIP6}", f"web2 {VIP6}"}, host.name
        assert set(await asked(host, "udp", VIP, 53, 50)) == {f"web1 {VIP}", f"web2 {VIP}"}, host.name
    assert await asked(client, "tcp", VIP, 82, 1) == {"ConnectionRefusedError": 1}
    await trio.sleep(2.5)
    told = await status(a)
    web = next(one for one in told["frontends"] if one["name"] == "web")
    assert web["plane"] == "kernel"
    assert web["counts"]["connections"] >= 400
    assert web["counts"]["bytes_in"] > 100_000 < web["counts"]["bytes_out"]
    assert told["warnings"] == []


def places(listed, name):
    """A table of places as nft lists it."""
    return dict(re.findall(r"(\d+) : ([0-9.]+ \. \d+)", listed.partition(f"map {name} ")[2].partition("}")[0]))


async def test_a_flip_moves_its_places_and_cuts_its_flows_at_both_ends_a_drain_keeps_them(net):
    client, a, b = net["client"], net["pi-a"], net["pi-b"]
    before = places(await table(a), "f0_web_4_places")
    assert len(before) == 4093
    assert before == places(await table(b), "f0_web_4_places")
    flows = await held(client, 12)
    assert set(flows) == {"web1", "web2", "web3"}

    await a.run([*hapair("server"), *at(a), "web/web3", "drain"])
    await until(lambda: has_no(a, "192.168.1.23 . 8080", "f0_web_4_places"), net)
    assert set(await asked(client, "tcp", VIP, 80, 60)) == {f"web1 {VIP}", f"web2 {VIP}"}
    drained = places(await table(a), "f0_web_4_places")
    assert {place for place in before if before[place] != drained[place]} == {
        place for place, server in before.items() if server == "192.168.1.23 . 8080"
    }

    await a.run([*hapair("server"), *at(a), "web/web1", "maint"])
    assert await fate(flows["web1"][0]) == "ConnectionResetError"
    await until(lambda: says(net["web1"], "reset"), net)

    cut_at = trio.current_time()
    await net["web2"].unplug()
    assert await fate(flows["web2"][0]) == "ConnectionResetError"
    assert trio.current_time() - cut_at < 3
    assert flows["web3"][0].poll() is None
    for server in ("web1", "web3"):
        await a.run([*hapair("server"), *at(a), f"web/{server}", "ready"])
    await net["web2"].plug()
    await until(lambda: is_as(a, before), net)
    assert flows["web3"][0].poll() is None


async def has_no(node, server, name):
    return server not in places(await table(node), name).values()


async def is_as(node, before):
    return places(await table(node), "f0_web_4_places") == before


async def test_what_is_ours_is_put_back_stays_over_a_crash_and_is_gone_after_a_stop(net):
    client, a = net["client"], net["pi-a"]
    await a.run(["nft", "add table inet strangers; add chain inet strangers c; add rule inet strangers c counter"])
    await a.run(["nft", "delete", "table", "inet", "hapair"])
    await until(lambda: was_restored(a), net, within_s=2)
    assert set(await asked(client, "tcp", VIP6, 80, 20)) == {f"web1 {VIP6}", f"web2 {VIP6}"}
    assert any("somebody has removed the rules" in warning for warning in (await status(a))["warnings"])
    assert "strangers" in (await a.run(["nft", "list", "tables"])).stdout.decode()

    await a.kill_all()
    assert "f0_web_4_places" in await table(a)
    assert await forwarding(a) == b"1\n1\n"
    await start(a)
    await until(lambda: is_ready(a), net)
    a.terminate("hapair", "up")
    with trio.fail_after(20):
        await a.last_started().wait()
    assert await table(a) == ""
    assert await forwarding(a) == b"0\n0\n"
    assert "strangers" in (await a.run(["nft", "list", "tables"])).stdout.decode()
    assert set(await asked(client, "tcp", VIP6, 80, 20)) == {f"web1 {VIP6}", f"web2 {VIP6}"}


async def test_a_firewall_that_drops_what_is_forwarded_is_named_with_the_line_to_type(net):
    client, a = net["client"], net["pi-a"]
    chain = "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }"
    await a.run(["nft", f"add table ip filter; {chain}"])
    assert await asked(client, "tcp", VIP, 80, 1) == {"TimeoutError": 1}
    doctor = [*hapair("doctor"), "--config", str(a.folder.parent / "hapair.yaml"), "--node", "pi-a", *at(a)]
    run = await a.run(doctor, check=False)
    assert run.returncode == 1
    [line] = [line for line in run.stdout.decode().splitlines() if line.startswith("MEND")]
    await a.run(["sh", "-c", line.partition("for example: ")[2]])
    assert set(await asked(client, "tcp", VIP, 80, 30)) == {f"web1 {VIP}", f"web2 {VIP}", f"web3 {VIP}"}
    await a.run(["nft", "delete", "table", "ip", "filter"])
    run = await a.run(doctor)
    assert "ok   net.ipv4.ip_forward was 0 before hapair changed it, and will be again" in run.stdout.decode()


async def was_restored(node):
    return (await status(node))["kernel"]["restored"] == 1 and "f0_web_4_places" in await table(node)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", *words]:
            trio.run(serve, *words)
        case ["ask", kind, host, port, count]:
            ask(kind, host, int(port), int(count))
        case ["hold", host, port]:
            hold(host, int(port))
