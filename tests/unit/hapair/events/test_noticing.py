"""Events that two snapshots tell."""

from dataclasses import replace
from typing import Any

import pytest

from hapair.events.noticing import noticed
from hapair.snapshot import CertificateView, FenceView, FlowsView, KernelView, NodeSnapshot, ProcessView, TrackedView
from tests.unit.hapair.admin.sample import NODE as SAMPLE
from tests.unit.hapair.admin.sample import ROUTER, WEB1

WORKER = ProcessView(name="worker 0", pid=12, state="serving")
CERTIFICATE = CertificateView(
    owner="frontend web", source="web.pem", names=(), key="EC", expires_in_s=90 * 86_400.0, trouble=None
)
FLOWS = FlowsView(
    up=True, waits_for=None, waiting=0, lag_s=0.0, told=0, sent=0, received=0, refused={}, foreign=0, overruns=0,
    resyncs=0, resync_s=0.0,
)  # fmt: skip
NODE = replace(
    SAMPLE,
    processes=(WORKER,),
    certificates=(CERTIFICATE,),
    fence=FenceView(obstacle=None, restored=0),
    kernel=KernelView(obstacle=None, restored=0),
    flows=FLOWS,
    routers=(replace(ROUTER, tracked=()),),
)


def news(before: NodeSnapshot | None, **changes: Any) -> list[tuple[str, str, str, str]]:
    after = replace(NODE, **changes)
    return [(one.kind, one.severity, one.words, one.reason) for one in noticed(before, after)]


def test_nothing_from_a_node_that_is_well_or_as_it_was() -> None:
    assert news(None) == []
    assert news(NODE) == []


def test_a_worker_that_dies_and_is_back() -> None:
    gone = replace(WORKER, pid=None, state="dead", ended="it was killed by SIGKILL")
    back = replace(gone, pid=99, state="serving")
    assert news(NODE, processes=(gone,)) == [
        ("process", "error", "worker 0 (pid 12) is gone", "it was killed by SIGKILL")
    ]
    assert news(replace(NODE, processes=(gone,)), processes=(back,)) == [
        ("process", "info", "worker 0 is serving (pid 99)", "")
    ]
    assert news(NODE, processes=(back,)) == [
        ("process", "error", "worker 0 (pid 12) is gone", "it was killed by SIGKILL"),
        ("process", "info", "worker 0 is serving (pid 99)", ""),
    ]


def test_a_fence_that_is_flushed_or_missing() -> None:
    assert news(NODE, fence=FenceView(obstacle=None, restored=1)) == [
        ("fence", "warning", "the fence was flushed by somebody else and put back", "")
    ]
    missing = FenceView(obstacle="no nftables", restored=0)
    expected = [("fence", "warning", "no fence stands around the VIPs", "no nftables")]
    assert news(None, fence=missing) == expected
    assert news(NODE, fence=missing) == expected
    assert news(replace(NODE, fence=missing)) == [("fence", "info", "the fence around the VIPs stands", "")]
    assert news(NODE, fence=None) == []


def test_the_kernel_plane() -> None:
    assert news(NODE, kernel=KernelView(obstacle=None, restored=1)) == [
        ("kernel", "warning", "the rules of the kernel plane were removed by somebody else and put back", "")
    ]
    broken = KernelView(obstacle="nft is not there", restored=0)
    assert news(NODE, kernel=broken) == [("kernel", "error", "the kernel plane does not work", "nft is not there")]
    assert news(replace(NODE, kernel=broken)) == [("kernel", "info", "the kernel plane works", "")]
    assert news(NODE, kernel=None) == []


def test_flows_that_are_told_and_not_told() -> None:
    down = replace(FLOWS, up=False, waits_for="the peer")
    assert news(NODE, flows=down) == [("flows", "warning", "flows are not told to the peer", "the peer")]
    assert news(replace(NODE, flows=down)) == [("flows", "info", "flows are told to the peer", "")]
    assert news(replace(NODE, flows=None), flows=down) == []


@pytest.mark.parametrize(
    ("before_days", "after_days", "expected"),
    [
        (90.0, 14.1, []),
        (14.1, 14.0, [("warning", "the certificate expires in 14 days")]),
        (14.0, 13.9, []),
        (7.1, 6.9, [("warning", "the certificate expires in 6 days")]),
        (3.1, 2.9, [("warning", "the certificate expires in 2 days")]),
        (1.1, 0.5, [("error", "the certificate expires in 12 hours")]),
        (0.5, 0.4, []),
        (0.1, -0.1, [("error", "the certificate has expired")]),
        (-0.1, -0.2, []),
        (14.1, -0.1, [("error", "the certificate has expired")]),
        (3.0, 89.0, [("info", "the certificate was renewed, and expires in 89 days")]),
        (None, 90.0, []),
        (None, 1.5, [("warning", "the certificate expires in 1 day")]),
        (None, -3.0, [("error", "the certificate has expired")]),
    ],
)
def test_certificates_that_expire(
    before_days: float | None, after_days: float, expected: list[tuple[str, str]]
) -> None:
    before = None
    if before_days is not None:
        before = replace(NODE, certificates=(replace(CERTIFICATE, expires_in_s=before_days * 86_400),))
    told = news(before, certificates=(replace(CERTIFICATE, expires_in_s=after_days * 86_400),))
    assert [(severity, words) for _, severity, words, _ in told] == expected
    assert {kind for kind, *_ in told} <= {"certificate"}


def test_a_certificate_that_cannot_be_used() -> None:
    broken = replace(CERTIFICATE, expires_in_s=None, trouble="it is no certificate")
    expected = [("certificate", "error", "the certificate's file is not used", "it is no certificate")]
    assert news(None, certificates=(broken,)) == expected
    assert news(NODE, certificates=(broken,)) == expected
    assert news(replace(NODE, certificates=(broken,)), certificates=(broken,)) == []


def test_what_a_router_depends_on() -> None:
    bad = (
        replace(ROUTER, tracked=(TrackedView(name="script dns", ok=False, weight=-20, reason="exit 1", since_s=0),)),
    )
    good = (
        replace(ROUTER, tracked=(TrackedView(name="script dns", ok=True, weight=-20, reason="exit 0", since_s=0),)),
    )
    expected = [("tracking", "warning", "script dns is not well, on which lan depends", "exit 1")]
    assert news(None, routers=bad) == expected
    assert news(replace(NODE, routers=good), routers=bad) == expected
    assert news(replace(NODE, routers=bad), routers=good) == [
        ("tracking", "info", "script dns is well, on which lan depends", "exit 0")
    ]
    assert news(None, routers=good) == []


def test_a_pool_with_nobody_left() -> None:
    (pool,) = NODE.pools
    empty = (replace(pool, servers=(replace(WEB1, up=False),)),)
    assert news(NODE, pools=empty) == [("pool", "error", "pool web has no server that is UP", "")]
    assert news(replace(NODE, pools=empty)) == [("pool", "info", "pool web has a server that is UP again", "")]
