"""Virtual routers of a running pair change in place: seen from the LAN, and by a client that never stops asking."""

import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import trio

from hapair.lab.pair import PLAN, bring_up, furnish, measuring
from hapair.lab.programs import Hapair, at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

INTERVAL_S = 0.2
"""Half of it is how late an advert may be: a machine that tests something else beside it takes 40 ms now and then."""
LISTENER = """
import socket, sys, time
card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
card.bind(("eth0", 0x0800))
while True:
    frame = card.recv(2048)
    if frame[23] == 112:
        print(time.monotonic(), *frame[29:30], *frame[35:38], flush=True)
"""
"""When, the last byte of the source, VRID, priority, number of addresses: of each advert."""


class Wire:
    """What a third machine hears."""

    def __init__(self, host) -> None:
        self._file = host.folder / "adverts.log"

    def adverts(self, source: int, vrid: int = 51) -> list[tuple[float, int, int]]:
        text = self._file.read_text()
        lines = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]  # the last may be half written
        of_it = [line for line in lines if line[1:3] == [str(source), str(vrid)]]
        return [(float(at), int(priority), int(count)) for at, _, _, priority, count in of_it]

    def longest_gap_s(self, source: int) -> float:
        return max(after[0] - before[0] for before, after in pairwise(self.adverts(source)))


async def until(is_so) -> None:
    with trio.fail_after(10):
        while not is_so():  # noqa: ASYNC110 - a kernel and a file
            await trio.sleep(0.02)


async def test_priority_vips_and_routers_change_in_place_and_no_advert_is_late(lab) -> None:
    pair = await furnish(lab, Hapair(), plan=replace(PLAN, interval_ms=round(INTERVAL_S * 1000)))
    await bring_up(pair)
    a, b = pair.nodes["pi-a"], pair.nodes["pi-b"]
    file = a.folder.parent / "hapair.yaml"
    text = file.read_text()
    announcers = [pair.program.announcers(node) for node in (a, b)]
    await pair.client.start([sys.executable, "-c", LISTENER], log="adverts.log")
    wire = Wire(pair.client)
    await until(lambda: len(wire.adverts(11)) > 3)

    async def reload_both(changed: str) -> None:
        file.write_text(changed)
        for node in (a, b):
            await node.run([*hapair("reload"), *at(node)])

    async with measuring(pair) as measurement:
        assert await measurement.answering()
        began, changes = len(measurement.records), len(a.addresses.history)

        other = text.replace('"pi-a": 200', '"pi-a": 150').replace("hold_down: 0s", "hold_down: 0s\n    preempt: false")
        await reload_both(other)
        await until(lambda: wire.adverts(11)[-1][1:] == (150, 1))

        await reload_both(other.replace('"192.168.1.100/24"', '"192.168.1.100/24", "192.168.1.101/24"'))
        await until(lambda: a.addresses.holds("192.168.1.101"))
        await until(lambda: wire.adverts(11)[-1][1:] == (150, 2))

        await reload_both(other)
        await until(lambda: not a.addresses.holds("192.168.1.101"))

        more = "  more: {vrid: 60, interface: eth0, addresses: [192.168.1.102/24], hold_down: 0s, priority: 100}\n"
        await reload_both(other.replace("frontends:", f"{more}frontends:"))
        await until(lambda: a.addresses.holds("192.168.1.102") or b.addresses.holds("192.168.1.102"))
        holder = 11 if a.addresses.holds("192.168.1.102") else 12

        await reload_both(other)
        await until(lambda: not (a.addresses.holds("192.168.1.102") or b.addresses.holds("192.168.1.102")))
        assert wire.adverts(holder, 60)[-1][1] == 0

        assert pair.holders() == ["pi-a"]
        assert wire.adverts(12) == []
        gone = [change.address for change in a.addresses.history[changes:] if not change.present]
        assert pair.plan.vip not in gone
        assert "192.168.1.101" in gone
        assert wire.longest_gap_s(11) < 1.5 * INTERVAL_S
        assert all(one.ok for one in measurement.records[began:])
        assert len(measurement.records) > began + 50

        await reload_both(text.replace('"pi-a": 200', '"pi-a": 50'))
        assert await pair.settled("pi-b")
        assert await measurement.answering()
    assert [pair.program.announcers(node) for node in (a, b)] == announcers
