"""A newer hapair on both nodes of a pair in turn, as docs/operate.md has it: under load, and nobody notices."""

import shutil
import signal
from pathlib import Path

import pytest
import trio

from hapair.lab.downloads import downloading
from hapair.lab.outage import tally
from hapair.lab.pair import bring_up, furnish, measuring
from hapair.lab.programs import Hapair, at, hapair, known_status

pytestmark = [pytest.mark.netns, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
NEWER = "9.9.9"
DOWNLOADS = 20


def newer(folder: Path) -> Path:
    """This program under another version, as a newer package would have brought it."""
    for package in ("hapair", "vrrp", "balancer"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    init = folder / "hapair" / "__init__.py"
    text = init.read_text()
    init.write_text(text.replace('"0.1.0"', f'"{NEWER}"'))
    assert init.read_text() != text
    return folder


async def say(host, *words):
    await host.run([*hapair(words[0]), *words[1:], *at(host)])


async def upgrade(pair, name, program):
    """As docs/operate.md has it. `systemctl restart` is SIGTERM, a wait until it has left, a start of what is there."""
    host = pair.nodes[name]
    await say(host, "maintenance", "on")
    host.send_signal(signal.SIGTERM, *pair.program.controllers(host))
    with trio.fail_after(40):
        while pair.program.controllers(host):  # noqa: ASYNC110 - a process tells nobody but its parent
            await trio.sleep(0.05)
    await program.start(host, pair.plan)
    with trio.fail_after(30):
        while (await host.run([*hapair("status"), *at(host)], check=False)).returncode:  # noqa: ASYNC110 - the same
            await trio.sleep(0.1)
    await say(host, "maintenance", "off")
    with trio.fail_after(30):
        while not await pair.program.ready(host):  # noqa: ASYNC110 - a node tells those who ask
            await trio.sleep(0.1)
    assert (await known_status(host))["hapair"] == NEWER


async def test_both_nodes_are_upgraded_and_no_request_and_no_download_breaks(lab, tmp_path):
    program = Hapair(newer(tmp_path / "newer"))
    pair = await furnish(lab, Hapair())
    await bring_up(pair)
    reports = []
    async with measuring(pair, "--timeout-s", "2", "--probe-interval-s", "0.02") as measurement:
        assert await measurement.answering()
        # the standby first, then the one that is ACTIVE and has open downloads
        async with downloading(pair, DOWNLOADS, lasting_s=6.0) as downloads:
            await downloads.all_open()
            await upgrade(pair, "pi-b", program)
            assert pair.holders() == ["pi-a"]
            reports.append(await downloads.finished())
        async with downloading(pair, DOWNLOADS, lasting_s=6.0) as downloads:
            await downloads.all_open()
            await upgrade(pair, "pi-a", program)
            assert pair.holders() == ["pi-b"]
            reports.append(await downloads.finished())
        # back to the preferred one, which asks for it
        a = pair.nodes["pi-a"]
        await heard(a)
        async with downloading(pair, DOWNLOADS, lasting_s=3.0) as downloads:
            await downloads.all_open()
            await say(a, "handover", "--to", "pi-a")
            assert pair.holders() == ["pi-a"]
            reports.append(await downloads.finished())
        assert await measurement.answering()
    counts = tally(measurement.records)
    whole, broken = sum(one.whole for one in reports), [one.reasons for one in reports if one.whole < one.asked]
    print(f"{whole} downloads whole, broken: {broken}; of {counts.requests} requests {counts.failed} failed")
    assert (broken, whole, counts.failed) == ([], 3 * DOWNLOADS, 0)
    assert counts.requests > 1000


async def heard(host):
    """Wait until its peer's node process is heard."""
    with trio.fail_after(20):
        while not (await known_status(host))["peer"]["up"]:  # noqa: ASYNC110 - a node tells those who ask
            await trio.sleep(0.1)
