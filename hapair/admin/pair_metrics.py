"""The metrics of the pair, which HAProxy has nothing like: `hapair_*`. Pure."""

from collections.abc import Iterator

from balancer import latencies
from hapair.admin.exposition import Histogram, Labels, Metric, one_of
from hapair.snapshot import NodeSnapshot, RouterView
from vrrp.lateness import BOUNDS_S

STATES = ("Initialize", "Backup", "Active")
NOTHING: Labels = {}


def metrics_of(node: NodeSnapshot) -> Iterator[Metric | Histogram]:
    """All of them."""
    yield Metric(
        "hapair_build_info",
        "gauge",
        "The version, and the node's name.",
        [({"version": node.hapair, "node": node.node}, 1)],
    )
    yield Metric("hapair_uptime_seconds", "gauge", "Since the node process started.", [(NOTHING, node.uptime_s)])
    yield Metric(
        "hapair_node_role",
        "gauge",
        "1 for the role of this node.",
        one_of(NOTHING, "role", ("ACTIVE", "STANDBY"), node.role),
    )
    yield Metric(
        "hapair_maintenance", "gauge", "1 if a person took this node out.", [(NOTHING, node.maintenance is not None)]
    )
    yield Metric("hapair_ready", "gauge", "1 if this node can serve.", [(NOTHING, node.ready)])
    yield Metric(
        "hapair_warnings",
        "gauge",
        "What a person should look at; `hapair status` has the words.",
        [(NOTHING, len(node.warnings))],
    )
    yield from _routers(node)
    yield from _link(node)
    yield from _peer(node)
    yield from _guards(node)
    yield from _kernel_plane(node)
    yield from _frontends(node)
    yield from _processes(node)
    yield from _notifications(node)


def _of(router: RouterView) -> Labels:
    return {"router": router.name}


def _routers(node: NodeSnapshot) -> Iterator[Metric | Histogram]:
    routers = node.routers
    yield Metric(
        "hapair_router_state",
        "gauge",
        "1 for the state of the virtual router.",
        [one for r in routers for one in one_of(_of(r), "state", STATES, r.state)],
    )
    yield Metric(
        "hapair_router_state_seconds",
        "gauge",
        "How long it has been in this state.",
        [(_of(r), r.since_s) for r in routers],
    )
    yield Metric(
        "hapair_router_transitions_total", "counter", "Changes of state.", [(_of(r), r.transitions) for r in routers]
    )
    yield Metric(
        "hapair_router_priority", "gauge", "The priority that it stands with.", [(_of(r), r.priority) for r in routers]
    )
    yield Metric(
        "hapair_router_configured_priority",
        "gauge",
        "The priority in the file.",
        [(_of(r), r.configured_priority) for r in routers],
    )
    yield Metric(
        "hapair_router_stays_backup",
        "gauge",
        "1 if it does not preempt until it is told to.",
        [(_of(r), r.stays_backup) for r in routers],
    )
    yield Metric(
        "hapair_vip_held",
        "gauge",
        "1 if the address is on this node.",
        [({**_of(r), "vip": vip}, _host(vip) in map(_host, r.vips_held)) for r in routers for vip in r.vips],
    )
    yield Metric(
        "hapair_vip_restored_total",
        "counter",
        "Times that somebody else had removed a VIP.",
        [(_of(r), r.vips_restored) for r in routers],
    )
    yield Metric(
        "hapair_lease_seconds",
        "gauge",
        "How long the kernel keeps VIPs that nobody renews.",
        [(_of(r), r.lease_s) for r in routers],
    )
    yield Metric(
        "hapair_lease_age_seconds", "gauge", "Since the lease was renewed.", [(_of(r), r.lease_age_s) for r in routers]
    )
    yield from _adverts(node)
    yield Metric(
        "hapair_tracked_ok",
        "gauge",
        "1 if what the virtual router depends on is well.",
        [({**_of(r), "tracked": one.name}, one.ok) for r in routers for one in r.tracked],
    )


def _host(vip: str) -> str:
    return vip.partition("/")[0]


def _adverts(node: NodeSnapshot) -> Iterator[Metric | Histogram]:
    routers = node.routers
    yield Metric("hapair_adverts_sent_total", "counter", "Adverts sent.", [(_of(r), r.adverts_sent) for r in routers])
    yield Metric(
        "hapair_adverts_received_total",
        "counter",
        "Adverts received and taken.",
        [(_of(r), r.adverts_received) for r in routers],
    )
    yield Metric(
        "hapair_adverts_rejected_total",
        "counter",
        "Adverts that were dropped, by reason.",
        [({**_of(r), "reason": why}, n) for r in routers for why, n in sorted(r.adverts_rejected.items())],
    )
    yield Metric(
        "hapair_adverts_unsigned_total",
        "counter",
        "Adverts that carried no signature.",
        [(_of(r), r.adverts_unsigned) for r in routers],
    )
    yield Metric(
        "hapair_advert_lateness_max_seconds",
        "gauge",
        "The latest that an advert or a deadline was.",
        [(_of(r), r.lateness_max_ms / 1000) for r in routers],
    )
    yield Histogram(
        "hapair_advert_lateness_seconds",
        "How late adverts were sent.",
        BOUNDS_S,
        [(_of(r), r.lateness_counts, r.lateness_sum_s) for r in routers],
    )


def _link(node: NodeSnapshot) -> Iterator[Metric]:
    link = node.link
    if link is None:
        return
    labels = {"peer": link.peer}
    yield Metric("hapair_peer_link_up", "gauge", "1 if the liveness link stands.", [(labels, link.up)])
    yield Metric(
        "hapair_peer_link_state_seconds", "gauge", "How long it has stood, or been down.", [(labels, link.since_s)]
    )
    yield Metric("hapair_peer_link_lost_total", "counter", "Times that it was lost.", [(labels, link.lost)])
    yield Metric(
        "hapair_peer_link_rejected_total",
        "counter",
        "Connections that were refused, by reason.",
        [({**labels, "reason": why}, count) for why, count in sorted(link.rejected.items())],
    )
    trip_s = None if link.round_trip_ms is None else link.round_trip_ms / 1000
    yield Metric("hapair_peer_link_round_trip_seconds", "gauge", "The last round trip.", [(labels, trip_s)])


def _peer(node: NodeSnapshot) -> Iterator[Metric]:
    """What the other node says of itself, and how its file differs."""
    peer = node.peer
    if peer is None:
        return
    labels = {"peer": peer.name}
    yield Metric("hapair_peer_state_up", "gauge", "1 if the other node tells how it is.", [(labels, peer.up)])
    yield Metric("hapair_peer_state_age_seconds", "gauge", "Since it last did.", [(labels, peer.age_s)])
    count = None if peer.drift is None else peer.drift.count
    yield Metric(
        "hapair_drift", "gauge", "Places where the files differ that the two nodes run with.", [(labels, count)]
    )
    since_s = None if peer.drift is None else peer.drift.since_s or 0.0
    yield Metric("hapair_drift_seconds", "gauge", "For how long they have differed.", [(labels, since_s)])


def _guards(node: NodeSnapshot) -> Iterator[Metric]:
    if node.fence is not None:
        yield Metric(
            "hapair_fence_up",
            "gauge",
            "1 if the fence around the VIPs stands.",
            [(NOTHING, node.fence.obstacle is None)],
        )
        yield Metric(
            "hapair_fence_restored_total",
            "counter",
            "Times that somebody had flushed it.",
            [(NOTHING, node.fence.restored)],
        )
    labelled = [({"owner": one.owner, "source": one.source}, one) for one in node.certificates]
    yield Metric(
        "hapair_certificate_expires_in_seconds",
        "gauge",
        "Until the certificate is no longer valid.",
        [(labels, one.expires_in_s) for labels, one in labelled],
    )
    yield Metric(
        "hapair_certificate_usable",
        "gauge",
        "1 if the file, as it is now, is used.",
        [(labels, one.trouble is None) for labels, one in labelled],
    )


def _frontends(node: NodeSnapshot) -> Iterator[Metric | Histogram]:
    frontends = node.frontends
    yield Histogram(
        "hapair_frontend_latency_seconds",
        "From a request's head to the head of its response. The sum is as well as the buckets tell.",
        latencies.COARSE_S,
        [
            ({"frontend": one.name}, latencies.coarse(one.latencies), latencies.about_s(one.latencies))
            for one in frontends
            if one.latencies
        ],
    )
    yield Metric(
        "hapair_frontend_active",
        "gauge",
        "1 if its VIP is here, or it follows none.",
        [({"frontend": one.name}, one.active) for one in frontends],
    )
    yield Metric(
        "hapair_frontend_causes_total",
        "counter",
        "Connections and requests that ended badly, by cause.",
        [({"frontend": one.name, "cause": why}, n) for one in frontends for why, n in sorted(one.causes.items())],
    )
    for name, meaning in (("in", "from clients"), ("out", "to clients")):
        yield Metric(
            f"hapair_frontend_datagrams_{name}_total",
            "counter",
            f"Datagrams {meaning}.",
            [
                ({"frontend": one.name}, getattr(one.counts, f"datagrams_{name}"))
                for one in frontends
                if one.mode == "udp"
            ],
        )
    yield Metric(
        "hapair_frontend_datagrams_dropped_total",
        "counter",
        "Datagrams that were not passed on.",
        [({"frontend": one.name}, one.counts.dropped) for one in frontends if one.mode == "udp"],
    )


def _notifications(node: NodeSnapshot) -> Iterator[Metric]:
    told = [({"name": one.name}, one) for one in node.notifications]
    sent = [(labels, one.sent) for labels, one in told]
    yield Metric("hapair_notifications_sent_total", "counter", "Events that somebody was told of.", sent)
    dropped = [(labels, one.dropped) for labels, one in told]
    yield Metric("hapair_notifications_dropped_total", "counter", "Events that were never told.", dropped)
    waiting = [(labels, one.waiting) for labels, one in told]
    yield Metric("hapair_notifications_waiting", "gauge", "Events that are yet to be told.", waiting)


def _processes(node: NodeSnapshot) -> Iterator[Metric]:
    yield Metric(
        "hapair_process_up",
        "gauge",
        "1 if the process serves.",
        [({"process": one.name}, one.state in ("serving", "running")) for one in node.processes],
    )
    yield Metric(
        "hapair_process_restarts_total",
        "counter",
        "Processes that had to be started again.",
        [(NOTHING, node.restarts)],
    )
    yield Metric(
        "hapair_log_lines_dropped_total",
        "counter",
        "Lines of access logs that were lost.",
        [(NOTHING, node.log_lines_dropped)],
    )


def _kernel_plane(node: NodeSnapshot) -> Iterator[Metric]:
    if node.kernel is not None:
        in_place = [(NOTHING, node.kernel.obstacle is None)]
        yield Metric("hapair_kernel_plane_up", "gauge", "1 if the rules of the kernel plane are in place.", in_place)
        restored = [(NOTHING, node.kernel.restored)]
        yield Metric("hapair_kernel_plane_restored_total", "counter", "Times that somebody had removed them.", restored)
    flows = node.flows
    if flows is None:
        return
    yield Metric("hapair_flows_link_up", "gauge", "1 if the peer is told of flows.", [(NOTHING, flows.up)])
    yield Metric("hapair_flows_lag_seconds", "gauge", "How late the peer is told.", [(NOTHING, flows.lag_s)])
    yield Metric(
        "hapair_flows_waiting", "gauge", "Changes that the peer is yet to be told.", [(NOTHING, flows.waiting)]
    )
    yield Metric("hapair_flows_told", "gauge", "Flows of this node that the peer knows.", [(NOTHING, flows.told)])
    opened = [({"frontend": name}, count) for name, count in sorted(flows.open.items())]
    yield Metric("hapair_flows_open", "gauge", "The same, by the frontend through which they came.", opened)
    refused = [({"errno": name}, count) for name, count in sorted(flows.refused.items())]
    yield Metric("hapair_flows_refused", "gauge", "Flows of the peer that this kernel did not take.", refused)
    for name, words, count in (
        ("overruns", "Times that more happened than could be taken in; each led to a resync.", flows.overruns),
        ("resyncs", "Times that the peer was told everything.", flows.resyncs),
        ("untold", "Changes that were passed over, for as many flows as may be were told of.", flows.untold),
        ("foreign", "Records of frontends that this node does not have.", flows.foreign),
    ):
        yield Metric(f"hapair_flows_{name}_total", "counter", words, [(NOTHING, count)])
    yield Metric("hapair_flows_resync_seconds", "gauge", "How long the last of them took.", [(NOTHING, flows.resync_s)])
    rejected = [({"reason": name}, count) for name, count in sorted(flows.rejected.items())]
    yield Metric("hapair_flows_rejected_total", "counter", "Connections that were not the peer's.", rejected)
