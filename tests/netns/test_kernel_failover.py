"""Open connections through the kernel plane live on when the node that carried them is killed or cut off."""

import pytest
import trio

from hapair.lab.greeter import answers_to, greeting, talking
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
