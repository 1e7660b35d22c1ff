"""Debian's keepalived as the other node of the pair, in every form of VRRP that it speaks, both ways round."""

import time
from dataclasses import replace

import pytest
import trio

from hapair.lab.pair import PLAN, VIP, furnish, logs_of
from hapair.lab.programs import Hapair, start_keepalived, status_of
from hapair.lab.watchers import watching

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]

THREE = replace(PLAN, foreign=True)
TWO = replace(THREE, version=2, interval_ms=1000)
SIX = replace(THREE, vip="fd00:51::100", nodes={"pi-a": "fd00:51::11", "pi-b": "fd00:51::12"})
FORMS = {
    "v2": TWO,
    "v2-password": replace(TWO, password="secret12"),
    "v6": SIX,
    "unicast": replace(THREE, unicast=True),
    "v6-unicast": replace(SIX, unicast=True),
    "virtual-mac": replace(THREE, virtual_mac=True),
    "v6-virtual-mac": replace(SIX, virtual_mac=True),
}


RESIGNED = "resigned"


class Mixed(Hapair):
    """keepalived on one node, hapair on the other."""

    def __init__(self, keepalived_on):
        super().__init__()
        self.keepalived_on = keepalived_on

    async def start(self, host, plan):
        if host.name == self.keepalived_on:
            await start_keepalived(host, plan)
        else:
            await super().start(host, plan)

    async def ready(self, host):
        return host.name == self.keepalived_on or await super().ready(host)


async def mixed(lab, keepalived_on, plan=THREE):
    pair = await furnish(lab, Mixed(keepalived_on), plan=plan)
    for name in pair.nodes:
        await pair.start(name)
    assert await pair.settled("pi-a"), logs_of(pair)
    assert await pair.ready(), logs_of(pair)
    return pair, *pair.nodes.values()


async def never_both(pair, seconds):
    """Fails where both kernels hold the VIP at any moment of the next seconds."""
    with trio.move_on_after(seconds):
        while True:
            assert len(pair.holders()) == 1
            await pair.changed()


@pytest.mark.parametrize("keepalived_on", ["pi-a", "pi-b"])
async def test_each_takes_over_from_the_other_and_gives_way(lab, keepalived_on):
    pair, a, b = await mixed(lab, keepalived_on)
    await never_both(pair, 1.5)
    a.terminate(*(["keepalived"] if keepalived_on == "pi-a" else ["hapair", "up"]))
    assert await b.addresses.until(VIP, present=True, within_s=30)
    assert await pair.settled("pi-b")
    await a.last_started().wait()
    await pair.start("pi-a")
    assert await pair.settled("pi-a"), logs_of(pair)


@pytest.mark.parametrize("keepalived_on", ["pi-a", "pi-b"])
@pytest.mark.parametrize("form", FORMS)
async def test_each_hears_the_other_and_takes_over_at_priority_0(lab, form, keepalived_on):
    pair, a, b = await mixed(lab, keepalived_on, FORMS[form])
    await never_both(pair, 1.2 * pair.plan.active_down_s)
    a.terminate(*(["keepalived"] if keepalived_on == "pi-a" else ["hapair", "up"]))
    assert await b.addresses.until(pair.plan.vip, present=True, within_s=30), logs_of(pair)
    assert RESIGNED in await why_active(b, keepalived_on), logs_of(pair)
    assert await pair.settled("pi-b"), logs_of(pair)


async def why_active(host, keepalived_on):
    """What the program there says of its takeover, or has in its log: by silence alone it comes too, and later."""
    if host.name == keepalived_on:
        said = (host.folder / "keepalived.log").read_text()
        return RESIGNED if "Backup received priority 0 advertisement" in said else said
    [router] = (await status_of(host))["routers"]
    return router["reason"]


@pytest.mark.parametrize("keepalived_on", ["pi-a", "pi-b"])
async def test_both_answer_with_the_virtual_mac(lab, keepalived_on):
    pair, a, _ = await mixed(lab, keepalived_on, FORMS["virtual-mac"])
    async with watching(lab, pair) as watchers:
        assert await watchers.answered_by("pi-a", in_a_row=20)
        assert await hardware_addresses(watchers) == {"00:00:5e:00:01:33"}
        a.terminate(*(["keepalived"] if keepalived_on == "pi-a" else ["hapair", "up"]))
        assert await watchers.answered_by("pi-b", in_a_row=20), logs_of(pair)
        assert await hardware_addresses(watchers) == {"00:00:5e:00:01:33"}


async def hardware_addresses(watchers):
    """Whatever five lookups in the next half second bring."""
    await watchers.look_up(time.monotonic(), count=5, every_s=0.1)
    with trio.fail_after(60):
        while len(watchers.lookups) < 5:  # noqa: ASYNC110 - the prober's lines are taken in elsewhere
            await trio.sleep(0.05)
    return {mac for lookup in watchers.lookups for mac, _ in lookup.answers}


async def test_keepalived_is_deaf_to_the_newer_checksum(lab):
    """Why the older one is what hapair sends unless it is told otherwise."""
    plan = replace(THREE, checksum="rfc9568")
    pair = await furnish(lab, Mixed("pi-b"), plan=plan)
    for name in pair.nodes:
        await pair.start(name)
    for node in pair.nodes.values():
        assert await node.addresses.until(VIP, present=True, within_s=30), logs_of(pair)
    assert "checksum" in (pair.nodes["pi-b"].folder / "keepalived.log").read_text().lower()


async def test_hapair_takes_over_from_a_keepalived_that_was_killed(lab):
    _, a, b = await mixed(lab, keepalived_on="pi-a")
    await a.kill_all()
    assert await b.addresses.until(VIP, present=True, within_s=30)


async def test_keepalived_takes_over_from_a_hapair_that_was_killed(lab):
    pair, a, b = await mixed(lab, keepalived_on="pi-b")
    await a.kill_all()
    assert await b.addresses.until(VIP, present=True, within_s=30)
    assert await a.addresses.until(VIP, present=False, within_s=30)
    assert pair.holders() == ["pi-b"]
