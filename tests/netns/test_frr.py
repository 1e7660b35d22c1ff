"""FRR's vrrpd (Debian's) as the other node of the pair: VRRPv3 with the virtual MAC address, both ways round."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from hapair.lab.files import vrrpd_conf
from hapair.lab.pair import PLAN, furnish, logs_of
from hapair.lab.programs import Hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

DAEMONS = Path("/usr/lib/frr")
FOUR = replace(PLAN, foreign=True, virtual_mac=True)
SIX = replace(FOUR, vip="fd00:51::100", nodes={"pi-a": "fd00:51::11", "pi-b": "fd00:51::12"})
FAMILIES = {"v4": FOUR, "v6": SIX}
ACTIVE, BACKUP = "Master", "Backup"  # FRR's words


@pytest.fixture(autouse=True)
def frr(program):
    program("vtysh")


class WithFrr(Hapair):
    """FRR on one node, hapair on the other."""

    def __init__(self, frr_on):
        super().__init__()
        self.frr_on = frr_on

    async def start(self, host, plan):
        if host.name == self.frr_on:
            await start_frr(host, plan)
        else:
            await super().start(host, plan)

    async def ready(self, host):
        if host.name == self.frr_on:
            return await state_of(host) in (ACTIVE, BACKUP)
        return await super().ready(host)


async def start_frr(host, plan):
    """zebra and vrrpd, all that is theirs in the host's folder, on a macvlan made beforehand as FRR's guide says."""
    await add_macvlan(host, plan)
    shutil.chown(host.folder, "frr", "frr")  # they give up root for a user of their own
    file = host.folder / "vrrpd.conf"
    file.write_text(vrrpd_conf(plan, host.name))
    empty = host.folder / "zebra.conf"
    empty.touch()
    sockets = ["--vty_socket", str(host.folder), "-z", str(host.folder / "zserv.api")]
    for daemon, config in (("zebra", empty), ("vrrpd", file)):
        (host.folder / f"{daemon}.vty").unlink(missing_ok=True)
        files = ["-f", str(config), "-i", str(host.folder / f"{daemon}.pid")]
        await host.start([str(DAEMONS / daemon), *sockets, *files, "-P", "0", "--log", "stdout"], log=f"{daemon}.log")
        with trio.fail_after(60):
            while not (host.folder / f"{daemon}.vty").exists():  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.02)


async def add_macvlan(host, plan):
    """FRR finds the interface of a virtual router by its address, and takes it down while it is Backup."""
    name = f"vrrp{plan.family}-{plan.vrid}"
    link = ["ip", "link", "add", name, "link", "eth0", "address", plan.virtual_mac_address]
    await host.run([*link, "type", "macvlan", "mode", "bridge"])
    await host.run(["ip", "link", "set", name, "addrgenmode", "none"])
    for address in plan.addresses:
        await host.run(["ip", "address", "add", address, "dev", name, *(["nodad"] if plan.family == 6 else [])])
    await host.run(["ip", "link", "set", name, "up"])


async def state_of(host):
    """What vrrpd says of itself."""
    shown = await host.run(["vtysh", "--vty_socket", str(host.folder), "-c", "show vrrp json"], check=False)
    for router in json.loads(shown.stdout) if shown.returncode == 0 else []:
        found = {router[family]["status"] for family in ("v4", "v6")} & {ACTIVE, BACKUP}
        if found:
            return found.pop()
    return None


async def is_active(pair, name):
    """Whether the node says, or its kernel shows, that it holds the VIP: FRR's addresses stay where they are."""
    if name == pair.program.frr_on:
        return await state_of(pair.nodes[name]) == ACTIVE
    return pair.nodes[name].addresses.holds(pair.plan.vip)


async def roles(pair):
    return [name for name in pair.nodes if await is_active(pair, name)]


async def until_active(pair, *names, within_s=30):
    with trio.move_on_after(within_s):
        while await roles(pair) != list(names):  # noqa: ASYNC110 - vrrpd tells those who ask
            await trio.sleep(0.05)
        return True
    return False


@pytest.mark.parametrize("frr_on", ["pi-a", "pi-b"])
@pytest.mark.parametrize("family", FAMILIES)
async def test_each_hears_the_other_takes_over_and_gives_way(lab, family, frr_on):
    pair = await furnish(lab, WithFrr(frr_on), plan=FAMILIES[family])
    a, b = pair.nodes.values()
    for name in pair.nodes:
        await pair.start(name)
    assert await pair.ready(), logs_of(pair)
    assert await until_active(pair, "pi-a"), logs_of(pair)
    for _ in range(10):
        assert await roles(pair) == ["pi-a"], logs_of(pair)
        await trio.sleep(0.1)
    leave(a, frr_on)
    assert await until_active(pair, "pi-b", within_s=30), logs_of(pair)
    await gone(a)
    await pair.start("pi-a")
    assert await until_active(pair, "pi-a"), logs_of(pair)
    assert b.processes()


def leave(host, frr_on):
    """SIGTERM to what speaks VRRP there."""
    host.terminate(*([str(DAEMONS / "vrrpd")] if host.name == frr_on else ["hapair", "up"]))


async def gone(host):
    """Wait for the last program to end, and clear away what FRR leaves: zebra and the interface made for it."""
    await host.last_started().wait()
    await host.kill_all()
    await host.run(["ip", "link", "delete", "vrrp4-51"], check=False)
    await host.run(["ip", "link", "delete", "vrrp6-51"], check=False)
