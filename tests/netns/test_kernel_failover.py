"""Open connections through the kernel plane live on when the node that carried them is killed or cut off."""

import json
from functools import partial

import pytest
import trio

from hapair import secret
from hapair.lab.pair import NODES, SERVERS, VIP
from hapair.lab.programs import at, hapair
from hapair.lab.streams import serving, streaming

pytestmark = [pytest.mark.netns, pytest.mark.slow]

VIP6 = "fd00:51::100"
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
  web: {listen: ["192.168.1.100:80", "[fd00:51::100]:80"], mode: tcp, plane: kernel, pool: web}
pools:
  web:
    check: {tcp: connect, interval: 500ms, timeout: 500ms}
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      web3: 192.168.1.23:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
"""


@pytest.fixture
async def net(lab):
    hosts = {name: await lab.host(name, address) for name, address in (SERVERS | NODES).items()}
    hosts["client"] = await lab.host("client", "192.168.1.50")
    for name in SERVERS:
        await serving(hosts[name], 8080)
    for name in NODES:
        await start(hosts[name])
    await until(partial(replicates, hosts), hosts)
    return hosts


async def start(node):
    file = node.folder.parent / "hapair.yaml"
    if not file.exists():
        file.write_text(FILE)
        secret.make(file.with_name("pair.key"))
    (node.folder / "run").mkdir(exist_ok=True)
    await node.start([*hapair("up"), "--config", str(file), "--node", node.name, *at(node)], log="hapair.log")


async def until(condition, hosts, within_s=20):
    with trio.move_on_after(within_s):
        while not await condition():  # noqa: ASYNC110 - the nodes tell those who ask
            await trio.sleep(0.1)
        return
    raise AssertionError("\n".join((hosts[name].folder / "hapair.log").read_text()[-3000:] for name in NODES))


async def status(node):
    run = await node.run([*hapair("status"), *at(node), "--json"], check=False)
    return json.loads(run.stdout) if run.returncode == 0 else {"role": "", "flows": None}


async def replicates(hosts):
    """Active on pi-a, flows told both ways."""
    told = [await status(hosts[name]) for name in NODES]
    return told[0]["role"] == "ACTIVE" and all(one["flows"] and one["flows"]["up"] for one in told)


async def knows(node, count):
    flows = (await status(node))["flows"]
    return bool(flows) and flows["told"] >= count and flows["waiting"] == 0


@pytest.mark.parametrize("fault", ["kill", "unplug"])
async def test_open_downloads_and_uploads_live_on(net, fault):
    a, b = net["pi-a"], net["pi-b"]
    async with streaming(net["client"], [VIP, VIP6], 80, downloads=10, uploads=10) as streams:
        await until(lambda: knows(a, 40), net)
        await (a.kill_all() if fault == "kill" else a.unplug())
        assert await b.addresses.until(VIP, present=True, within_s=10)
        await trio.sleep(3)
        report = await streams.finish()
    assert report.broken == 0, report
    assert report.whole == 40
    assert report.longest_stall_s < 5
