"""Open connections through the kernel plane live on when the node that carried them is killed or cut off."""

import json
import sys

import pytest
import trio

from hapair.lab.greeter import answers_to, greeting, holding, talking
from hapair.lab.kernel_pair import VIP6, furnish
from hapair.lab.pair import VIP
from hapair.lab.streams import serving, streaming

pytestmark = [pytest.mark.netns, pytest.mark.slow]


@pytest.fixture
async def net(lab):
    net = await furnish(lab)
    for server in net.servers:
        await serving(server, 8080)
    await net.start()
    await net.until(net.replicates)
    return net


DNS = """\
frontends:
  dns: {listen: ["192.168.1.100:53", "[fd00:51::100]:53"], mode: udp, plane: kernel, pool: dns}
pools:
  dns:
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      web3: 192.168.1.23:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
"""


async def test_flows_of_udp_meet_the_same_server_after_a_failover(lab):
    net = await furnish(lab, DNS)
    for server in net.servers:
        await greeting(server, [8080])
    await net.start()
    await net.until(net.replicates)
    talkers = [await talking(net.client, vip, 53) for vip in (VIP,) * 6 + (VIP6,) * 6]
    await net.until(lambda: net.has_told(12))
    assert (await net.flows(net.nodes[0]))["open"] == {"dns": 12}
    await net.nodes[0].kill_all()
    assert await net.nodes[1].addresses.until(VIP, present=True, within_s=30)
    await trio.sleep(1)
    found = [await answers_to(talker) for talker in talkers]
    names = [set(one) - {"silence"} for one in found]
    assert [len(one) for one in names] == [1] * 12, found
    assert set().union(*names) == {"web1", "web2", "web3"}
    assert all(sum(one.values()) - one.get("silence", 0) > 10 for one in found), found


@pytest.mark.parametrize("fault", ["kill", "unplug"])
async def test_open_downloads_and_uploads_live_on(net, fault):
    a, b = net.nodes
    async with streaming(net.client, [VIP, VIP6], 80, downloads=10, uploads=10) as streams:
        await net.until(lambda: net.has_told(40))
        await (a.kill_all() if fault == "kill" else a.unplug())
        assert await b.addresses.until(VIP, present=True, within_s=30)
        await trio.sleep(3)
        report = await streams.finish()
    assert report.broken == 0, report
    assert report.whole == 40
    assert report.longest_stall_s < 20  # how long is for benchmarks/kernel_failover.py to say


@pytest.mark.parametrize("alone", [False, True])
async def test_open_streams_live_on_where_a_node_crashes_and_starts_again(net, alone):
    """Its rules and flows stay in its kernel meanwhile; with a peer that has the VIPs, they come back from there."""
    a, b = net.nodes
    if alone:
        await b.kill_all()
    async with streaming(net.client, [VIP, VIP6], 80, downloads=5, uploads=5) as streams:
        await net.until(lambda: has_open(net, a, 20, alone))
        await a.kill_all()
        if not alone:
            assert await b.addresses.until(VIP, present=True, within_s=30)
        await net.start("pi-a")
        await net.until(net.is_serving)
        await trio.sleep(2)
        report = await streams.finish()
    assert (report.whole, report.broken) == (20, 0), report


async def has_open(net, node, count, alone):
    return len(await known(node)) >= count if alone else await net.has_told(count)


KNOWN = """\
import json
from balancer.kernel import ctnetlink
flows = [flow for is_ipv6 in (False, True) for flow in ctnetlink.flows(is_ipv6=is_ipv6)]
print(json.dumps([[repr(flow[:9]), flow.vip_port, flow.status, flow.timeout_s, flow.tcp] for flow in flows]))
"""
BOTH = """\
  web: {listen: ["192.168.1.100:80", "[fd00:51::100]:80"], mode: tcp, plane: kernel, pool: dns}
pools:
"""


async def known(node):
    """Flows of this machine's kernel to ports that frontends have, by their ends: status, seconds left, TCP."""
    listed = json.loads((await node.run([sys.executable, "-c", KNOWN])).stdout)
    return {ends: (status, left_s, tcp) for ends, port, status, left_s, tcp in listed if port in (53, 80)}


async def test_the_other_kernel_has_each_flow_as_it_is(lab):
    """Translation, TCP state, window scales, time left: whatever makes forwarding fast, this must stay so."""
    net = await furnish(lab, DNS.replace("pools:\n", BOTH))
    a, b = net.nodes
    for server in net.servers:
        await greeting(server, [8080])
    await net.start()
    await net.until(net.replicates)
    for vip in (VIP, VIP6):
        await talking(net.client, vip, 53)
        await holding(net.client, vip, 80)
    await net.until(lambda: are_alike(a, b, 4))
    here = await known(a)
    assert sorted(tcp[0] for _, _, tcp in here.values() if tcp) == [3, 3]  # ESTABLISHED
    assert all(min(tcp[1]) >= 1 for _, _, tcp in here.values() if tcp)  # Linux always scales
    await trio.sleep(11)  # a datagram makes no event: what is left of its flow is told now and then
    await net.until(lambda: are_alike(a, b, 4))
    await net.client.kill_all()
    await net.until(lambda: have_ended(b))


async def have_ended(node):
    return not [tcp for _, _, tcp in (await known(node)).values() if tcp and tcp[0] == 3]


async def are_alike(a, b, count):
    here, there = await known(a), await known(b)
    if len(here) != count or set(here) != set(there):
        return False
    return all(
        (status & 0x06, tcp and tcp[:2]) == (there[ends][0] & 0x06, there[ends][2] and there[ends][2][:2])
        and abs(left_s - there[ends][1]) <= 15
        for ends, (status, left_s, tcp) in here.items()
    )
