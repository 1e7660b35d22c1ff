"""Open connections through the kernel plane live on when the node that carried them is killed or cut off."""

import pytest
import trio

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


@pytest.mark.parametrize("fault", ["kill", "unplug"])
async def test_open_downloads_and_uploads_live_on(net, fault):
    a, b = net.nodes
    async with streaming(net.client, [VIP, VIP6], 80, downloads=10, uploads=10) as streams:
        await net.until(lambda: net.has_told(40))
        await (a.kill_all() if fault == "kill" else a.unplug())
        assert await b.addresses.until(VIP, present=True, within_s=10)
        await trio.sleep(3)
        report = await streams.finish()
    assert report.broken == 0, report
    assert report.whole == 40
    assert report.longest_stall_s < 5
