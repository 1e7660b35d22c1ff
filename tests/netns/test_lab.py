"""The lab itself, without the program that it is for."""

import pytest
import trio

from hapair.lab.host import command_line
from hapair.lab.pair import SetupError, bring_up, furnish, measuring
from hapair.lab.programs import Hapair, Keepalived
from hapair.lab.trial import Fault, try_fault

pytestmark = [pytest.mark.netns, pytest.mark.slow]

VIP = "192.168.1.100"


async def reaches(host, address):
    return (await host.run(["ping", "-c", "4", "-i", "0.5", "-W", "1", address], check=False)).returncode == 0


async def two(lab):
    return await lab.host("pi-a", "192.168.1.11"), await lab.host("pi-b", "192.168.1.12")


async def test_a_cable_is_pulled_and_put_back(lab):
    a, b = await two(lab)
    assert await reaches(a, b.address)
    await b.unplug()
    assert b"NO-CARRIER" in (await b.run(["ip", "link", "show", "eth0"])).stdout
    assert not await reaches(a, b.address)
    await b.plug()
    assert await reaches(a, b.address)


async def test_a_black_hole_keeps_the_carrier(lab):
    a, b = await two(lab)
    await b.blackhole(on=True)
    assert not await reaches(a, b.address)
    assert b"NO-CARRIER" not in (await b.run(["ip", "link", "show", "eth0"])).stdout
    await b.blackhole(on=False)
    assert await reaches(a, b.address)


async def test_a_kill_takes_children_and_orphans_and_nobody_elses(lab):
    a, b = await two(lab)
    await b.start(["sleep", "61"])
    await a.start(["sh", "-c", "sleep 62 & sleep 63 & setsid sleep 64 & wait"])
    with trio.fail_after(60):
        while len(a.find("sleep")) < 3 or not b.find("sleep"):  # noqa: ASYNC110 - nobody tells when a program is loaded
            await trio.sleep(0.01)
    await a.kill_all()
    assert a.processes() == []
    assert [command_line(pid) for pid in b.processes()] == [["sleep", "61"]]


async def test_what_is_frozen_stands_still_until_it_is_thawed(lab):
    a = await lab.host("pi-a", "192.168.1.11")
    child = await a.start(["sleep", "0.2"])
    a.freeze()
    with trio.move_on_after(0.5):
        await child.wait()
    assert child.returncode is None
    a.thaw()
    with trio.fail_after(60):
        await child.wait()


async def test_a_lease_is_seen_to_begin_and_to_end(lab):
    a = await lab.host("pi-a", "192.168.1.11")
    lease = ["valid_lft", "2", "preferred_lft", "2"]
    await a.run(["ip", "address", "add", f"{VIP}/32", "dev", "eth0", *lease])
    came = await a.addresses.until(VIP, present=True, within_s=30)
    gone = await a.addresses.until(VIP, present=False, within_s=30)
    assert came is not None
    assert gone is not None
    assert 0.5 < gone - came < 20
    assert not a.addresses.holds(VIP)
    assert [(one.address, one.present) for one in a.addresses.history][-2:] == [(VIP, True), (VIP, False)]


async def test_a_program_that_does_not_start_is_shown_by_its_log(lab):
    class Broken(Hapair):
        async def start(self, host, plan):
            await host.start(["sh", "-c", "echo this is why >&2; exit 1"], log="broken.log")

    pair = await furnish(lab, Broken())
    with pytest.raises(SetupError, match="this is why"):
        await bring_up(pair)


@pytest.mark.keepalived
async def test_a_stale_vip_is_noticed(lab, program):
    """keepalived leaves one behind when it is killed, so the lab can be seen to tell."""
    program("haproxy")
    pair = await furnish(lab, Keepalived())
    await bring_up(pair)
    async with measuring(pair) as measurement:
        assert await measurement.answering()
        trial = await try_fault(Fault.KILL_ALL, pair, measurement)
    assert trial.takeover_s is not None
    assert trial.stale_vip
    assert not trial.passed
    assert trial.failed > 0
    assert trial.outage_s
