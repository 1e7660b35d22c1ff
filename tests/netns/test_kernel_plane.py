"""The kernel plane through the real program: NAT for both families and both protocols, flips, hygiene."""

import re

import pytest
import trio

from hapair.lab.greeter import answers_to, asked, fate_of, greeter, greeting, heard_by, holding, talking
from hapair.lab.kernel_pair import VIP6, furnish
from hapair.lab.pair import VIP
from hapair.lab.programs import at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

FILE = """\
frontends:
  web: {listen: ["192.168.1.100:80", "[fd00:51::100]:80", "192.168.1.100:81"], mode: tcp, plane: kernel, pool: web}
  sticky: {listen: ["192.168.1.100:90", "[fd00:51::100]:90"], mode: tcp, plane: kernel, pool: sticky}
  dns: {listen: ["192.168.1.100:53", "[fd00:51::100]:53"], mode: udp, plane: kernel, pool: dns}
  moved: {listen: ["192.168.1.100:5000-5099", "[fd00:51::100]:5000-5099"], mode: udp, plane: kernel, pool: dns}
  kept: {listen: ["192.168.1.100:8000-8099", "192.168.1.100:7999"], mode: tcp, plane: kernel, pool: range}
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
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      web3: 192.168.1.23:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
  range: {policy: source_hash, servers: {web1: "192.168.1.21:8000"}}
  dns:
    policy: random
    check: {tcp: connect, interval: 200ms, timeout: 200ms, rise: 1, fall: 2}
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
"""


@pytest.fixture
async def net(lab):
    net = await furnish(lab, FILE)
    for server in net.servers:
        await greeting(server, [8080, 8081])
    await net.start()
    await net.until(net.is_serving)
    assert net.nodes[0].addresses.holds(VIP6)
    return net


async def held(client, count, vip=VIP):
    """Connections through the VIP, by server."""
    found = {}
    for _ in range(count):
        name, process = await holding(client, vip, 80)
        found.setdefault(name, []).append(process)
    return found


async def table(node):
    return (await node.run(["nft", "list", "table", "inet", "hapair"], check=False)).stdout.decode()


async def forwarding(node):
    return (await node.run(["sysctl", "-n", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])).stdout


async def test_both_protocols_both_families_weights_and_hairpin(net):
    client, a = net.client, net.nodes[0]
    tcp4 = await asked(client, "tcp", VIP, 80, 400)
    assert set(tcp4) == {f"web1 {VIP}", f"web2 {VIP}", f"web3 {VIP}"}
    assert 180 <= tcp4[f"web3 {VIP}"] <= 220
    assert 80 <= tcp4[f"web1 {VIP}"] <= 120
    assert set(await asked(client, "tcp", VIP, 81, 30)) == set(tcp4)
    assert [len(await asked(client, "tcp", vip, 90, 30)) for vip in (VIP, VIP6)] == [1, 1]
    assert set(await asked(client, "tcp", VIP6, 80, 50)) == {f"web1 {VIP6}", f"web2 {VIP6}"}
    assert set(await asked(client, "udp", VIP, 53, 50)) == {f"web1 {VIP}", f"web2 {VIP}"}
    assert set(await asked(client, "udp", VIP6, 53, 50)) == {f"web1 {VIP6}", f"web2 {VIP6}"}
    # Servers that are clients, and processes on either node.
    for host in (net["web1"], net["pi-b"], a):
        assert set(await asked(host, "tcp", VIP, 80, 50)) == set(tcp4), host.name
        assert set(await asked(host, "tcp", VIP6, 80, 50)) == {f"web1 {VIP6}", f"web2 {VIP6}"}, host.name
        assert set(await asked(host, "udp", VIP, 53, 50)) == {f"web1 {VIP}", f"web2 {VIP}"}, host.name
    assert await asked(client, "tcp", VIP, 82, 1) == {"ConnectionRefusedError": 1}
    # Ranges of ports: the servers listen on 8080 and 8081, and dns begins at 8080, range at 8000.
    for port in (5000, 5001):
        assert set(await asked(client, "udp", VIP, port, 20)) == {f"web1 {VIP}", f"web2 {VIP}"}
        assert set(await asked(client, "udp", VIP6, port, 20)) == {f"web1 {VIP6}", f"web2 {VIP6}"}
    for vip in (VIP, VIP6):
        assert await asked(client, "udp", vip, 5002, 1) == {"ConnectionRefusedError": 1}
    assert [await asked(client, "tcp", VIP, port, 1) for port in (8079, 8080, 8081, 7999)] == [
        {"ConnectionRefusedError": 1},
        {f"web1 {VIP}": 1},
        {f"web1 {VIP}": 1},
        {"ConnectionRefusedError": 1},
    ]
    await net.until(lambda: is_counted(net))
    told = await net.status(a)
    assert web_of(told)["plane"] == "kernel"
    assert told["warnings"] == []


def web_of(told):
    return next(one for one in told["frontends"] if one["name"] == "web")


async def is_counted(net):
    told = await net.status(net.nodes[0])
    counts, kept = (next(one["counts"] for one in told["frontends"] if one["name"] == name) for name in ("web", "kept"))
    wanted = counts["connections"] >= 400 and kept["connections"] == 4  # two of those the server refused
    return wanted and counts["bytes_in"] > 100_000 < counts["bytes_out"]


def places(listed, name):
    """A table of places as nft lists it."""
    return dict(re.findall(r"(\d+) : ([0-9.]+ \. \d+)", listed.partition(f"map {name} ")[2].partition("}")[0]))


async def test_a_flip_moves_its_places_and_cuts_its_flows_at_both_ends_a_drain_keeps_them(net):
    client, (a, b) = net.client, net.nodes
    before = places(await table(a), "f0_web_4_places")
    assert len(before) == 4093
    assert before == places(await table(b), "f0_web_4_places")
    flows = await held(client, 12)
    assert set(flows) == {"web1", "web2", "web3"}

    await a.run([*hapair("server"), *at(a), "web/web3", "drain"])
    await net.until(lambda: has_no(a, "192.168.1.23 . 8080", "f0_web_4_places"))
    assert set(await asked(client, "tcp", VIP, 80, 60)) == {f"web1 {VIP}", f"web2 {VIP}"}
    drained = places(await table(a), "f0_web_4_places")
    assert {place for place in before if before[place] != drained[place]} == {
        place for place, server in before.items() if server == "192.168.1.23 . 8080"
    }

    await a.run([*hapair("server"), *at(a), "web/web1", "maint"])
    assert await fate_of(flows["web1"][0]) == "ConnectionResetError"
    await net.until(lambda: was_reset(net["web1"]))

    await net["web2"].unplug()
    assert await fate_of(flows["web2"][0]) == "ConnectionResetError"
    assert flows["web3"][0].poll() is None
    for server in ("web1", "web3"):
        await a.run([*hapair("server"), *at(a), f"web/{server}", "ready"])
    await net["web2"].plug()
    await net.until(lambda: is_as(a, before))
    assert flows["web3"][0].poll() is None


async def test_datagrams_ipv6_and_clients_on_the_node_are_told_too_and_nobody_else_answers(net):
    client, a = net.client, net.nodes[0]
    await a.start(greeter("serve", "pi-a", "80,53"), log="greeter.log")  # whoever listens there is no server
    six, local = await held(client, 6, VIP6), await held(a, 6)
    assert (set(six), set(local)) == ({"web1", "web2"}, {"web1", "web2", "web3"})
    talkers = [await talking(client, vip, 53) for vip in (VIP, VIP6) for _ in range(8)]
    await net.until(lambda: net.has_told(28))
    await net["web2"].unplug()
    assert await fate_of(six["web2"][0]) == "ConnectionResetError"
    assert await fate_of(local["web2"][0]) == "ConnectionResetError"
    await trio.sleep(0.5)
    found = [await answers_to(talker) for talker in talkers]
    moved = [one for one in found if {"web1", "web2"} <= set(one)]
    assert len(moved) >= 2, found
    assert all(one["web1"] > 10 for one in moved), found
    assert [six["web1"][0].poll(), local["web1"][0].poll(), local["web3"][0].poll()] == [None] * 3
    for server in ("six1", "six2", "web1", "web2", "web3"):
        await a.run([*hapair("server"), *at(a), f"web/{server}", "maint"])
        if server != "web3":
            await a.run([*hapair("server"), *at(a), f"dns/{server}", "maint"])
    assert await fate_of(six["web1"][0]) == "ConnectionResetError"
    assert await fate_of(local["web3"][0]) == "ConnectionResetError"
    await net.until(lambda: was_reset(net["web1"]))
    for kind, vip, port in (("tcp", VIP, 80), ("tcp", VIP6, 80), ("udp", VIP, 53), ("udp", VIP6, 53)):
        for host in (client, a):
            assert await asked(host, kind, vip, port, 2) == {"ConnectionRefusedError": 2}, (kind, vip, host.name)


async def was_reset(server):
    return "reset" in heard_by(server)


async def has_no(node, server, name):
    return server not in places(await table(node), name).values()


async def is_as(node, before):
    return places(await table(node), "f0_web_4_places") == before


async def test_what_is_ours_is_put_back_stays_over_a_crash_and_is_gone_after_a_stop(net):
    client, a = net.client, net.nodes[0]
    before = (await net.status(a))["kernel"]["restored"]
    await a.run(["sysctl", "-w", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0"])
    await a.run(["nft", "flush", "ruleset"])
    await net.until(lambda: was_restored(net, before + 1))
    await a.run(["nft", "add table inet strangers; add chain inet strangers c; add rule inet strangers c counter"])
    await net.until(lambda: forwards(a))
    assert set(await asked(client, "tcp", VIP6, 80, 20)) == {f"web1 {VIP6}", f"web2 {VIP6}"}
    assert any("somebody has removed the rules" in warning for warning in (await net.status(a))["warnings"])
    assert "strangers" in (await a.run(["nft", "list", "tables"])).stdout.decode()

    await a.kill_all()
    assert "f0_web_4_places" in await table(a)
    assert await forwarding(a) == b"1\n1\n"
    await net.start("pi-a")
    await net.until(net.is_serving)
    a.terminate("hapair", "up")
    with trio.fail_after(60):
        await a.last_started().wait()
    assert await table(a) == ""
    assert await forwarding(a) == b"0\n0\n"
    assert "strangers" in (await a.run(["nft", "list", "tables"])).stdout.decode()
    assert set(await asked(client, "tcp", VIP6, 80, 20)) == {f"web1 {VIP6}", f"web2 {VIP6}"}


async def test_a_firewall_that_drops_what_is_forwarded_is_named_with_the_line_to_type(net):
    client, a = net.client, net.nodes[0]
    chain = "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }"
    await a.run(["nft", f"add table ip filter; {chain}"])
    assert await asked(client, "tcp", VIP, 80, 1) == {"TimeoutError": 1}
    doctor = [*hapair("doctor"), *net.options("pi-a")]
    run = await a.run(doctor, check=False)
    assert run.returncode == 1
    [line] = [line for line in run.stdout.decode().splitlines() if line.startswith("MEND")]
    await a.run(["sh", "-c", line.partition("; type ")[2]])
    assert set(await asked(client, "tcp", VIP, 80, 30)) == {f"web1 {VIP}", f"web2 {VIP}", f"web3 {VIP}"}
    await a.run(["nft", "delete", "table", "ip", "filter"])
    run = await a.run(doctor)
    assert "ok   net.ipv4.ip_forward was 0 before hapair changed it, and will be again" in run.stdout.decode()


async def forwards(node):
    return await forwarding(node) == b"1\n1\n"


async def was_restored(net, times):
    a = net.nodes[0]
    return (await net.status(a))["kernel"]["restored"] == times and "f0_web_4_places" in await table(a)


async def test_servers_come_and_go_by_command(net):
    client, (a, b) = net.client, net.nodes
    server = [*hapair("server"), *at(a)]
    await a.run([*server, "web/web3", "maint"])
    await a.run([*server, "web/web3", "remove"])
    await net.until(lambda: has_no(b, "192.168.1.23 . 8080", "f0_web_4_places"))
    assert set(await asked(client, "tcp", VIP, 80, 40)) == {f"web1 {VIP}", f"web2 {VIP}"}
    await a.run([*server, "web/web9", "add", "192.168.1.23:8080"])
    await a.run([*server, "dns/more", "add", "192.168.1.23:8080"])
    for node in (a, b):
        await net.until(lambda node=node: has(node, "192.168.1.23 . 8080", "f0_web_4_places"))
    assert set(await asked(client, "tcp", VIP, 80, 60)) == {f"web1 {VIP}", f"web2 {VIP}", f"web3 {VIP}"}
    assert f"web3 {VIP}" in await asked(client, "udp", VIP, 53, 60)
    assert places(await table(a), "f0_web_4_places") == places(await table(b), "f0_web_4_places")


async def has(node, server, name):
    return not await has_no(node, server, name)
