"""What tshark says of the adverts that the real program sends, in every form, captured on the peer's interface."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from hapair.lab.pair import PLAN, furnish, logs_of
from hapair.lab.programs import Hapair

pytestmark = [pytest.mark.netns, pytest.mark.slow]

FOREIGN = replace(PLAN, foreign=True)
TWO = replace(FOREIGN, version=2, interval_ms=1000)
SIX = replace(FOREIGN, vip="fd00:51::100", nodes={"pi-a": "fd00:51::11", "pi-b": "fd00:51::12"})
FORMS = {
    "v3": FOREIGN,
    "v3-signed": PLAN,
    "v3-rfc9568": replace(FOREIGN, checksum="rfc9568"),
    "v3-virtual-mac": replace(FOREIGN, virtual_mac=True),
    "v3-unicast": replace(FOREIGN, unicast=True),
    "v2": TWO,
    "v2-password": replace(TWO, password="secret12"),
    "v6": SIX,
    "v6-virtual-mac": replace(SIX, virtual_mac=True),
    "v6-unicast": replace(SIX, unicast=True),
}
COUNT = 3
FIELDS = ("eth.src", "ip.ttl", "ipv6.hlim", "vrrp.version", "vrrp.prio", "vrrp.checksum.status")
GOOD, BAD = "1", "0"


@pytest.fixture(autouse=True)
def tools(program):
    program("tshark")
    program("tcpdump")


async def captured(pair):
    """A capture file with some adverts of pi-a, which is alone."""
    a, b = pair.nodes.values()
    file = Path("/run/lab/adverts.pcap")
    capture = await b.start(
        ["tcpdump", "-i", "eth0", "-c", str(COUNT), "-w", str(file), "-Z", "root", "ip proto 112 or ip6 proto 112"],
        log="tcpdump.log",
    )
    await pair.start(a.name)
    with trio.move_on_after(60):
        await capture.wait()
    assert capture.returncode == 0, (b.folder / "tcpdump.log").read_text() + logs_of(pair)
    return file


async def said_by_tshark(host, file, plan):
    """Of each packet: the values of FIELDS, and all that tshark has to complain about."""
    alike = "TRUE" if plan.checksum == "rfc9568" else "FALSE"
    options = ["-o", f"vrrp.v3_checksum_as_in_v2:{alike}", "-o", "ip.check_checksum:TRUE"]
    fields = [word for field in (*FIELDS, "_ws.expert.message") for word in ("-e", field)]
    run = await host.run(["tshark", "-r", str(file), *options, "-T", "fields", "-E", "separator=;", *fields])
    return [line.split(";") for line in run.stdout.decode().splitlines()]


@pytest.mark.parametrize("form", FORMS)
async def test_adverts_are_decoded_without_complaint_and_their_checksums_are_good(lab, form):
    plan = FORMS[form]
    pair = await furnish(lab, Hapair(), plan=plan)
    file = await captured(pair)
    packets = await said_by_tshark(pair.client, file, plan)
    assert len(packets) == COUNT
    for source, ttl, hop_limit, version, priority, checksum, complaint in packets:
        assert (source == plan.virtual_mac_address) is plan.virtual_mac
        assert ttl + hop_limit == "255"
        assert (version, priority, checksum, complaint) == (str(plan.version), "200", GOOD, "")


@pytest.mark.parametrize("form", ["v3", "v2", "v6"])
async def test_a_wrong_checksum_would_be_noticed(lab, form):
    plan = FORMS[form]
    pair = await furnish(lab, Hapair(), plan=plan)
    file = await captured(pair)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1  # of the last packet: the VIP's last byte, or the trailer's
    file.write_bytes(data)
    packets = await said_by_tshark(pair.client, file, plan)
    assert [packet[5] for packet in packets] == [GOOD, GOOD, BAD]
    assert "checksum" in packets[-1][6].lower()
