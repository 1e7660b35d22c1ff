"""Limits of the kernel plane tried with traffic, and its counters compared with what the traffic was."""

from collections import Counter

import pytest
import trio

from hapair.lab.greeter import asked, greeting, holding
from hapair.lab.kernel_pair import VIP6, furnish
from hapair.lab.pair import VIP

# Alone: a node whose nft takes more than ten seconds loads its rules again, and what they have counted is gone.
pytestmark = [pytest.mark.netns, pytest.mark.slow, pytest.mark.alone]

FILE = """\
frontends:
  few: {listen: ["192.168.1.100:80"], mode: tcp, plane: kernel, pool: web, limits: {connections: 3}}
  slow: {listen: ["192.168.1.100:81", "192.168.1.100:5000-5099"], mode: tcp, plane: kernel, pool: web, limits:
    {connection_rate: 1/h, connection_burst: 5}}
  slow_udp: {listen: ["192.168.1.100:81", "[fd00:51::100]:81"], mode: udp, plane: kernel, pool: web, limits:
    {connection_rate: 1/h, connection_burst: 5}}
  denied: {listen: ["192.168.1.100:82", "[fd00:51::100]:82"], mode: tcp, plane: kernel, pool: web, limits:
    {deny: ["192.168.1.50/32", "fd00:51::40/122"]}}
  allowed: {listen: ["192.168.1.100:83"], mode: tcp, plane: kernel, pool: web, limits: {allow: ["192.168.1.22/32"]}}
  all: {listen: ["192.168.1.100:84", "[fd00:51::100]:84"], mode: tcp, plane: kernel, pool: web}
  all_udp: {listen: ["192.168.1.100:84", "[fd00:51::100]:84"], mode: udp, plane: kernel, pool: counted}
pools:
  web: {servers: {web1: "192.168.1.21:8080", web2: "192.168.1.22:8080", six1: "[fd00:51::21]:8080"}}
  counted: {servers: {web1: "192.168.1.21:8080", web3: "192.168.1.23:8080", six1: "[fd00:51::21]:8080"}}
"""


@pytest.fixture
async def net(lab):
    net = await furnish(lab, FILE)
    for server in net.servers:
        await greeting(server, [8080])
    await net.start("pi-a")
    await net.until(net.is_serving)
    return net


async def test_what_one_client_may_have_and_what_is_counted(net):
    client, a = net.client, net.nodes[0]
    held = [await holding(client, VIP, 80) for _ in range(3)]
    assert {name for name, _ in held} == {"web1", "web2"}
    # New ones count over all ports together, and each SYN that comes again, as it does on a busy machine, counts too.
    for kind, vip, port, count in (
        ("tcp", VIP, 81, 2),
        ("tcp", VIP, 5000, 2),
        ("udp", VIP, 81, 4),
        ("udp", VIP6, 81, 4),
    ):
        assert "TimeoutError" not in await asked(client, kind, vip, port, count)
    limited = [("tcp", VIP, 5001), ("udp", VIP, 81), ("udp", VIP6, 81)]
    await dropped(client, *limited)  # the fifth of each, if it was not spent
    others = [("tcp", VIP, port) for port in (80, 81, 82, 83)] + [("tcp", VIP6, 82)]
    assert await dropped(client, *others, *limited) == [True] * 8
    assert await dropped(net["web3"], ("tcp", VIP, 80), ("tcp", VIP, 82), ("tcp", VIP6, 82)) == [False] * 3
    assert await dropped(net["web2"], ("tcp", VIP, 83)) == [False]
    assert all(process.poll() is None for _, process in held)
    held[0][1].terminate()
    await net.until(lambda: takes_one(client))
    told = {one["name"]: one for one in (await net.status(a))["frontends"]}
    for name in ("few", "slow", "slow_udp", "denied", "allowed"):
        assert told[name]["causes"].get("client_limit", 0) >= 1, name


async def dropped(host, *targets):
    """Of one new flow each, all at the same time: whether it was not answered at all."""
    found = [False] * len(targets)

    async def one(place, kind, vip, port):
        found[place] = await asked(host, kind, vip, port, 1) == {"TimeoutError": 1}

    async with trio.open_nursery() as nursery:
        for place, target in enumerate(targets):
            nursery.start_soon(one, place, *target)
    return found


async def takes_one(client):
    return "TimeoutError" not in await asked(client, "tcp", VIP, 80, 1)


async def test_counters_are_what_the_traffic_was(net):
    client, a = net.client, net.nodes[0]
    by_tcp, by_udp = Counter(), Counter()
    for vip, count in ((VIP, 31), (VIP6, 12)):
        by_tcp += Counter(await asked(client, "tcp", vip, 84, count))
        by_udp += Counter(await asked(client, "udp", vip, 84, count))
    assert sum(by_tcp.values()) == sum(by_udp.values()) == 43
    # `hello` and a newline there; name, client and length back; each with the headers of IP and UDP.
    there = 31 * (6 + 28) + 12 * (6 + 48)
    back = 31 * (len(f"web1 ::ffff:{VIP} 6") + 28) + 12 * (len(f"web1 {VIP6} 6") + 48)

    async def is_counted():
        told = await net.status(a)
        return (counts(told, "all")["connections"], counts(told, "all_udp")["datagrams_out"]) == (43, 43)

    await net.until(is_counted)
    told = await net.status(a)
    udp = counts(told, "all_udp")
    assert (udp["connections"], udp["datagrams_in"], udp["datagrams_out"]) == (43, 43, 43)
    assert (udp["bytes_in"], udp["bytes_out"]) == (there, back)
    [pool] = [one for one in told["pools"] if one["name"] == "counted"]
    servers = {one["name"]: one["counts"] for one in pool["servers"]}
    assert {name: one["connections"] for name, one in servers.items()} == {
        "web1": by_udp[f"web1 {VIP}"],
        "web3": by_udp[f"web3 {VIP}"],
        "six1": 12,
    }
    assert sum(one["bytes_out"] for one in servers.values()) == back
    tcp = counts(told, "all")
    assert tcp["bytes_in"] > 43 * (6 + 5 * 40) < tcp["bytes_out"]


def counts(told, frontend):
    return next(one["counts"] for one in told["frontends"] if one["name"] == frontend)
