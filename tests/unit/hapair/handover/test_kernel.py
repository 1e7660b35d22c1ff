"""Virtual routers become lanes, rules and routes. `ip` and `nft` are scripts that write down what they are told."""

from ipaddress import IPv4Interface, ip_address
from pathlib import Path

import pytest

from hapair.handover.events import Forward, Forwarding, Held, HoldVips, ListFlows
from hapair.handover.kernel import LinuxKernel
from hapair.handover.messages import Flow, Stations
from vrrp.config import VirtualRouterConfig

LAN = VirtualRouterConfig(name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("10.0.0.1/24"),))
MORE = VirtualRouterConfig(
    name="more", vrid=52, interface="eth0", addresses=(IPv4Interface("10.0.0.2/24"),), virtual_mac=True
)
GONE = VirtualRouterConfig(name="gone", vrid=53, interface="eth9", addresses=(IPv4Interface("10.9.0.1/24"),))
PEER = Stations({"lan": "02:00:00:00:00:0b", "more": "02:00:00:00:00:0b", "gone": "02:00:00:00:09:0b"})
OWN = Stations({"lan": "02:00:00:00:00:0a", "more": "02:00:00:00:00:0a"})
LINKS = (
    '[{"ifname": "eth0", "link_type": "ether", "address": "02:00:00:00:00:0a", "addr_info": ['
    '{"family": "inet", "local": "10.0.0.2"}, {"family": "inet", "local": "10.0.0.11"}]}]'
)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What nft and ip were told, in order."""
    monkeypatch.setenv("PATH", str(tmp_path))
    log = tmp_path / "told"
    copy = f'while read -r line; do echo "$line" >>{log}; done'
    for name, head in (("nft", ""), ("ip", f"case $1 in -json) echo '{LINKS}'; exit;; esac\n")):
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\n{head}echo "{name} $*" >>{log}\n{copy}\n')
        script.chmod(0o755)
    return log


@pytest.fixture
def kernel() -> LinuxKernel:
    return LinuxKernel((LAN, MORE, GONE))


async def test_the_vips_of_an_interface_share_a_chain(told: Path, kernel: LinuxKernel) -> None:
    assert await kernel.hold(HoldVips(("lan", "more"), PEER)) == Held(None)
    lines = told.read_text().splitlines()  # noqa: ASYNC240
    assert [line for line in lines if line.startswith(("ip -", "nft", "route", "ip daddr", "oifname"))] == [
        "ip -4 route flush table local proto 113",
        "ip -6 route flush table local proto 113",
        "nft -f -",
        "ip daddr { 10.0.0.1, 10.0.0.2 } tcp flags & (syn | ack) == syn "
        "ether daddr { 02:00:00:00:00:0a, 00:00:5e:00:01:34 } ether saddr set 02:00:00:00:00:0a "
        'ether daddr set 02:00:00:00:00:0b fwd to "eth0"',
        'oifname "eth0" arp saddr ip { 10.0.0.1, 10.0.0.2 } arp operation request arp saddr ip set 10.0.0.11 accept',
        'oifname "eth0" arp saddr ip { 10.0.0.1, 10.0.0.2 } drop',
        "ip -batch -",
        "route replace local 10.0.0.1 dev eth0 table local proto 113 metric 4000",
        "route replace local 10.0.0.2 dev eth0 table local proto 113 metric 4000",
    ]


async def test_flows_are_forwarded_and_our_stations_told(told: Path, kernel: LinuxKernel) -> None:
    flow = Flow(ip_address("10.0.0.50"), 40000, ip_address("10.0.0.1"), 80)
    assert await kernel.forward(Forward(("lan", "more"), PEER, (flow,), shielded=True)) == Forwarding(OWN)
    assert "elements = { 10.0.0.50 . 40000 . 10.0.0.1 . 80 }\n" in told.read_text()  # noqa: ASYNC240


async def test_an_interface_that_is_not_there_is_an_obstacle(told: Path, kernel: LinuxKernel) -> None:
    why = "the MAC addresses of gone on eth9 are not known"
    assert await kernel.forward(Forward(("lan", "gone"), PEER, (), shielded=True)) == Forwarding(
        Stations({"lan": "02:00:00:00:00:0a"}), why
    )
    assert await kernel.hold(HoldVips(("lan", "gone"), PEER)) == Held(why)
    assert not told.exists()  # noqa: ASYNC240


async def test_a_peer_that_does_not_say_its_stations_is_an_obstacle(told: Path, kernel: LinuxKernel) -> None:
    why = "the MAC addresses of lan on eth0 are not known"
    assert await kernel.hold(HoldVips(("lan",), Stations({}))) == Held(why)


async def test_flows_come_with_our_stations(told: Path, kernel: LinuxKernel) -> None:
    listed = await kernel.list_flows(ListFlows(("lan", "gone"), living=True))
    assert (listed.flows, listed.stations, listed.obstacle) == ((), Stations({"lan": "02:00:00:00:00:0a"}), None)


async def test_letting_go_removes_the_routes_first(told: Path, kernel: LinuxKernel) -> None:
    await kernel.let_go()
    assert [line for line in told.read_text().splitlines() if line.startswith(("ip", "nft"))] == [  # noqa: ASYNC240
        "ip -4 route flush table local proto 113",
        "ip -6 route flush table local proto 113",
        "nft -f -",
    ]


async def test_what_cannot_be_removed_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kernel: LinuxKernel
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    await kernel.let_go()
    assert [one.message for one in caplog.records] == ["local routes were not removed"]
