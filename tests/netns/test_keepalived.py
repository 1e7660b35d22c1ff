"""Debian's keepalived as the other node of the pair, VRRPv3, both ways round."""

import pytest
import trio

from hapair.lab.pair import VIP, furnish, logs_of
from hapair.lab.programs import Hapair, start_keepalived

pytestmark = [pytest.mark.netns, pytest.mark.keepalived, pytest.mark.slow]


class Mixed(Hapair):
    """keepalived on one node, hapair on the other."""

    def __init__(self, keepalived_on):
        self.keepalived_on = keepalived_on

    async def start(self, host, plan):
        if host.name == self.keepalived_on:
            await start_keepalived(host, plan)
        else:
            await super().start(host, plan)


async def mixed(lab, keepalived_on):
    pair = await furnish(lab, Mixed(keepalived_on))
    for name in pair.nodes:
        await pair.start(name)
    assert await pair.settled("pi-a"), logs_of(pair)
    return pair, *pair.nodes.values()


async def never_both(pair, seconds):
    """Fails where both kernels hold the VIP at any moment of the next seconds."""
    with trio.move_on_after(seconds):
        while True:
            assert len(pair.holders()) == 1
            await pair.changed()


async def test_hapair_takes_over_from_keepalived_and_gives_way(lab):
    pair, a, b = await mixed(lab, keepalived_on="pi-a")
    await never_both(pair, 1.5)
    a.terminate("keepalived")
    assert await b.addresses.until(VIP, present=True, within_s=10)
    assert await pair.settled("pi-b")
    await a.last_started().wait()
    await pair.start("pi-a")
    assert await pair.settled("pi-a"), logs_of(pair)


async def test_keepalived_takes_over_from_hapair_and_gives_way(lab):
    pair, a, b = await mixed(lab, keepalived_on="pi-b")
    await never_both(pair, 1.5)
    a.terminate("hapair", "up")
    assert await b.addresses.until(VIP, present=True, within_s=10)
    assert await pair.settled("pi-b")
    await a.last_started().wait()
    await pair.start("pi-a")
    assert await pair.settled("pi-a"), logs_of(pair)


async def test_hapair_takes_over_from_a_keepalived_that_was_killed(lab):
    _, a, b = await mixed(lab, keepalived_on="pi-a")
    await a.kill_all()
    assert await b.addresses.until(VIP, present=True, within_s=10)


async def test_keepalived_takes_over_from_a_hapair_that_was_killed(lab):
    pair, a, b = await mixed(lab, keepalived_on="pi-b")
    await a.kill_all()
    assert await b.addresses.until(VIP, present=True, within_s=10)
    assert await a.addresses.until(VIP, present=False, within_s=10)
    assert pair.holders() == ["pi-b"]
