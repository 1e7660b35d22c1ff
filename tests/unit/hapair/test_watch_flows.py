"""The node's side of the flows process: what it is told, what it reports, that it comes back."""

from dataclasses import replace
from ipaddress import ip_address

import trio
import trio.testing

from balancer.config import BalancerConfig, Frontend, Pool, Server
from balancer.fieldtypes import Endpoint
from hapair.messages import ActiveFrontends, FlowsReport, KernelFrontend
from hapair.watch_flows import FlowsWatch, flows_opening
from tests.unit.hapair.conftest import FakeChildren
from vrrp.liveness.config import LinkConfig

LINK = LinkConfig(
    node="pi-a",
    peer="pi-b",
    address=ip_address("192.0.2.11"),
    peer_address=ip_address("192.0.2.12"),
    port=1339,
    secret=b"s" * 32,
    interval_s=0.1,
)
VIP = (Endpoint("192.0.2.100", 53),)
CONFIG = BalancerConfig(
    frontends={
        "web": Frontend(listen=(Endpoint("192.0.2.100", 80),), pool="dns"),
        "dns": Frontend(listen=VIP, mode="udp", plane="kernel", pool="dns"),
    },
    pools={"dns": Pool(servers={"a": Server(address=Endpoint("192.0.2.1", 53))})},
)
REPORT = FlowsReport(
    up=True, waits_for=None, waiting=0, lag_s=0.01, told=3, open={"dns": 3}, sent=5, received=0,
    refused={}, foreign=0, overruns=0,
    resyncs=1, resync_s=0.1,
)  # fmt: skip


def test_what_it_is_started_with() -> None:
    opening = flows_opening(CONFIG, LINK)
    assert opening is not None
    assert opening.frontends == (KernelFrontend("dns", "udp", VIP),)
    assert opening.link.port == 1340
    assert flows_opening(CONFIG, None) is None
    guarded = replace(CONFIG.frontends["dns"], mode="tcp", syn_proxy=True)  # what it changes of a flow is not told
    assert flows_opening(replace(CONFIG, frontends={"guarded": guarded}), LINK) is None
    assert flows_opening(CONFIG.proxied, LINK) is None


async def test_it_hears_what_is_here_reports_and_comes_back(children: FakeChildren, nursery: trio.Nursery) -> None:
    opening = flows_opening(CONFIG, LINK)
    watch = FlowsWatch(opening)
    assert watch.is_needed
    watch.set_active(["dns"])
    nursery.start_soon(watch.run)
    with trio.fail_after(60):
        while len(children.started) < 1 or len(children.started[0].heard) < 2:
            await trio.testing.wait_all_tasks_blocked(0.005)
        first = children.started[0]
        assert first.heard == [opening, ActiveFrontends(("dns",))]
        first.say(REPORT)
        watch.set_active([])
        while watch.report is None or len(first.heard) < 3:
            await trio.testing.wait_all_tasks_blocked(0.005)
        assert (watch.report, watch.pid, first.heard[2]) == (REPORT, 1000, ActiveFrontends(()))
        watch.set_active([])
        first.die()
        while len(children.started) < 2 or len(children.started[1].heard) < 2:
            await trio.testing.wait_all_tasks_blocked(0.005)
    assert children.started[1].heard == [opening, ActiveFrontends(())]
    assert (watch.report, watch.restarts, watch.pid) == (None, 1, 1001)


def test_without_a_peer_there_is_no_such_process() -> None:
    assert not FlowsWatch(None).is_needed


class TestBehind:
    """VIPs are not taken from a living peer before its flows are known here."""

    def test_until_the_peer_has_told_everything(self) -> None:
        watch = FlowsWatch(flows_opening(CONFIG, LINK))
        assert watch.is_behind(linked=True, now=100.0)
        watch.report = REPORT
        assert watch.is_behind(linked=True, now=101.0)
        watch.report = replace(REPORT, caught_up=True)
        assert not watch.is_behind(linked=True, now=102.0)

    def test_again_when_the_two_were_cut_off(self) -> None:
        watch = FlowsWatch(flows_opening(CONFIG, LINK))
        watch.report = replace(REPORT, caught_up=True)
        assert not watch.is_behind(linked=True, now=100.0)
        assert watch.is_behind(linked=False, now=101.0)
        assert watch.is_behind(linked=False, now=1000.0)
        watch.report = REPORT
        assert watch.is_behind(linked=True, now=1001.0)
        watch.report = replace(REPORT, caught_up=True)
        assert not watch.is_behind(linked=True, now=1002.0)

    def test_not_for_ever(self) -> None:
        watch = FlowsWatch(flows_opening(CONFIG, LINK))
        assert watch.is_behind(linked=False, now=100.0)
        assert not watch.is_behind(linked=False, now=115.0)
        assert watch.is_behind(linked=True, now=116.0)
        assert watch.is_behind(linked=True, now=130.9)
        assert not watch.is_behind(linked=True, now=131.0)

    def test_never_without_the_kernel_plane(self) -> None:
        assert not FlowsWatch(None).is_behind(linked=False, now=0.0)
