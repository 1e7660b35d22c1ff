"""The real program on two nodes: what happens to the VIP. Times are bounded generously; what happens is what counts."""

import re

import pytest
import trio

from hapair.lab.pair import VIP, furnish, logs_of, measuring
from hapair.lab.programs import RECORDING, Hapair, known_status, status_of
from hapair.lab.trial import Fault, inflict, try_fault
from vrrp.recording import replay

pytestmark = [pytest.mark.netns, pytest.mark.slow]


@pytest.mark.parametrize(
    "fault", [Fault.KILL_ALL, Fault.UNPLUG, Fault.FREEZE, Fault.KILL_ANNOUNCER, Fault.KILL_NODE], ids=lambda f: f.name
)
async def test_the_vip_moves_and_comes_back(lab, pair, fault):
    async with measuring(pair) as measurement:
        assert await measurement.answering()
        trial = await try_fault(fault, pair, measurement)
    assert (trial.victim, trial.peer) == ("pi-a", "pi-b")
    assert trial.takeover_s is not None
    assert trial.takeover_s < 5
    assert not trial.stale_vip
    assert trial.outage_s is not None
    assert trial.recovered
    assert pair.holders() == ["pi-a"]


async def test_nobody_is_heard_both_hold_it_and_one_gives_way(lab, pair):
    a, b = pair.nodes.values()
    await inflict(Fault.BLACKHOLE, pair, a)
    assert await b.addresses.until(VIP, present=True, within_s=30)
    assert pair.holders() == ["pi-a", "pi-b"]  # each has lost the other; neither can know better
    for node in (a, b):
        with trio.fail_after(60):
            while not await suspects_a_split_brain(node):  # noqa: ASYNC110 - the node tells those who ask
                await trio.sleep(0.2)
    await a.blackhole(on=False)
    assert await pair.settled("pi-a")


async def suspects_a_split_brain(host):
    return any("split brain" in warning for warning in (await known_status(host))["warnings"])


async def test_each_node_knows_its_role(lab, pair):
    a, b = [await known_status(node) for node in pair.nodes.values()]
    assert (a["role"], b["role"]) == ("ACTIVE", "STANDBY")


async def test_a_vip_that_someone_deletes_is_put_back(lab, pair):
    a = pair.nodes["pi-a"]
    before = len(a.addresses.history)
    await a.run(["ip", "address", "delete", f"{VIP}/32", "dev", "eth0"])
    with trio.fail_after(60):
        while [change.present for change in a.addresses.history[before:] if change.address == VIP] != [False, True]:
            await a.addresses.changed()
    assert pair.holders() == ["pi-a"]


async def test_an_interface_that_is_not_there_yet_is_waited_for(lab):
    pair = await furnish(lab, Hapair())
    a = pair.nodes["pi-a"]
    await a.run(["ip", "link", "set", "eth0", "down"])
    await a.run(["ip", "link", "set", "eth0", "name", "later0"])
    await pair.start("pi-a")
    with trio.fail_after(60):
        while not await waits(a):  # noqa: ASYNC110 - the node tells those who ask
            await trio.sleep(0.1)
    await a.run(["ip", "link", "set", "later0", "name", "eth0"])
    await a.run(["ip", "link", "set", "eth0", "up"])
    assert await pair.settled("pi-a")


async def waits(host):
    """Whether the node runs and says what it waits for."""
    found = await status_of(host)
    return found is not None and any("eth0" in (router["waiting_for"] or "") for router in found["routers"])


async def test_a_taken_port_is_said_in_one_line(lab):
    pair = await furnish(lab, Hapair())
    a = pair.nodes["pi-a"]
    thief = await a.start(["python3", "-m", "http.server", "80"])
    await listens(a, thief)
    await pair.start("pi-a")
    with trio.fail_after(60):
        await a.last_started().wait()
    said = (a.folder / "hapair.log").read_text()
    assert a.last_started().returncode == 1
    assert "Traceback" not in said
    [line] = [line for line in said.splitlines() if line.startswith("hapair: ")]
    assert f"{VIP}:80" in line
    assert pair.holders() == []


async def listens(host, process):
    with trio.fail_after(60):
        while b":80 " not in (await host.run(["ss", "-Hltn"])).stdout:
            assert process.returncode is None
            await trio.sleep(0.05)


async def test_sigterm_hands_over(lab, pair):
    a, b = pair.nodes.values()
    a.terminate("hapair", "up")
    assert await b.addresses.until(VIP, present=True, within_s=30)
    assert await a.addresses.until(VIP, present=False, within_s=30)
    assert pair.holders() == ["pi-b"]


async def test_a_node_whose_announcer_died_comes_back_when_it_is_told_to(lab, pair):
    a = pair.nodes["pi-a"]
    a.kill(*pair.program.announcers(a))
    assert await pair.settled("pi-b", for_s=3.0), logs_of(pair)
    told = await known_status(a)
    assert "`hapair preempt` ends that" in " ".join(told["warnings"])
    await pair.program.let_preempt(a)
    assert await pair.settled("pi-a"), logs_of(pair)


async def test_a_recording_of_the_real_program_plays_again(lab):
    """Takeover, handover, return: every event of both nodes through the pure machine, with the same effects."""
    pair = await furnish(lab, Hapair(record=True))
    for name in pair.nodes:
        await pair.start(name)
    assert await pair.settled("pi-a"), logs_of(pair)
    a, b = pair.nodes.values()
    await inflict(Fault.UNPLUG, pair, a)
    assert await pair.settled("pi-b"), logs_of(pair)
    await a.plug()
    assert await pair.settled("pi-a"), logs_of(pair)
    await pair.program.hand_over(a)
    assert await pair.settled("pi-b"), logs_of(pair)
    for node in (a, b):
        lines = (node.folder / RECORDING).read_text().splitlines()
        kinds = set(re.findall(r'"type": ?"(\w+)"', "\n".join(lines)))
        assert kinds >= {"AdvertReceived", "DeadlineReached", "PeerMet", "VipsClaimed"}
        assert replay(lines) == len(lines) - 1 > 50
