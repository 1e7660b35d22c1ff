"""`hapair capture` on a real pair: adverts and gratuitous ARP as they pass, explained, and read by tcpdump."""

import signal

import pytest
import trio

from hapair.lab.programs import at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]


async def test_adverts_and_a_takeover_are_explained(lab, pair, program):
    tcpdump = program("tcpdump")
    a, b = pair.nodes.values()
    file = b.folder / "x.pcap"
    capture = await b.start([*hapair("capture"), "-i", "eth0", "-w", str(file)], log="capture.log")
    log = b.folder / "capture.log"
    await has(log, "listening on eth0")
    await has(log, "VRRP 192.168.1.11 > 224.0.0.18: version 3, VRID 51, priority 200, every ")
    await a.run([*hapair("handover"), *at(a)])
    await has(log, "VRRP 192.168.1.12 > 224.0.0.18: version 3, VRID 51, priority 100, every ")
    await has(log, "ARP announcement: 192.168.1.100 is at ")
    capture.send_signal(signal.SIGINT)
    with trio.fail_after(60):
        assert await capture.wait() == 0
    said = log.read_text()
    assert "signed by a hapair" in said
    assert "!" not in said
    read = (await b.run([tcpdump, "-n", "-r", str(file)])).stdout.decode()
    assert len(read.splitlines()) == len(said.splitlines()) - 1

    three = await b.run([*hapair("capture"), "-i", "eth0", "-n", "3"])
    assert len(three.stdout.splitlines()) == 3


async def has(log, words):
    with trio.fail_after(60):
        while words not in log.read_text():  # noqa: ASYNC110 - a file tells nobody
            await trio.sleep(0.1)
