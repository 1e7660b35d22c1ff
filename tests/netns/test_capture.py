"""`hapair capture` on a real pair: adverts and gratuitous ARP as they pass, explained, and read by tcpdump."""

import pytest
import trio

from hapair.lab.programs import at, hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]


async def test_adverts_and_a_takeover_are_explained(lab, pair, program):
    tcpdump = program("tcpdump")
    a, b = pair.nodes.values()
    file = b.folder / "x.pcap"
    capture = await b.start([*hapair("capture"), "-i", "eth0", "-n", "60", "-w", str(file)], log="capture.log")
    log = b.folder / "capture.log"
    with trio.fail_after(30):
        while "listening on eth0" not in log.read_text():  # noqa: ASYNC110 - a file tells nobody
            await trio.sleep(0.1)
    await a.run([*hapair("handover"), *at(a)])
    with trio.fail_after(30):
        await capture.wait()
    said = log.read_text()
    assert "VRRP 192.168.1.11 > 224.0.0.18: version 3, VRID 51, priority 200, every " in said
    assert "signed by a hapair" in said
    assert "ARP announcement: 192.168.1.100 is at " in said
    assert "VRRP 192.168.1.12 > 224.0.0.18: version 3, VRID 51, priority 100, every " in said
    assert "!" not in said
    read = (await b.run([tcpdump, "-n", "-r", str(file)])).stdout.decode()
    assert len(read.splitlines()) == 60
