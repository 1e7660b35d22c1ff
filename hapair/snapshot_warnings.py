"""What a person should look at, in words. Pure: what the node shows of itself goes in."""

from collections.abc import Iterable

from balancer.config import BalancerConfig
from hapair.snapshot import (
    CertificateView,
    FenceView,
    FlowsView,
    KernelView,
    LinkView,
    PoolView,
    ProcessView,
    RouterView,
)

LAGS_S = 1.0
"""Flows of which the peer hears later than this are warned about."""
EXPIRES_SOON_S = 14 * 86_400.0
"""A certificate that has no longer than this to go is warned about."""


def warnings_of(
    config: BalancerConfig,
    routers: Iterable[RouterView],
    pools: Iterable[PoolView],
    processes: Iterable[ProcessView],
    link: LinkView | None = None,
    fence: FenceView | None = None,
    certificates: Iterable[CertificateView] = (),
    kernel: KernelView | None = None,
    flows: FlowsView | None = None,
    why_lowered: str = "",
) -> tuple[str, ...]:
    """What a person should look at, in words. `why_lowered`: what of the node itself has its routers go last."""
    routers, pools = tuple(routers), tuple(pools)
    found = [*_about_split(routers, link, pools), *_about_link(link), *_about_fence(fence)]
    found += [*_about_kernel(kernel), *_about_flows(flows), *warnings_of_certificates(certificates)]
    found += [
        f"virtual router {router.name} waits for {router.waiting_for}" for router in routers if router.waiting_for
    ]
    for router in routers:
        if router.priority < router.configured_priority:
            found.append(_lowered(router, why_lowered))
        if router.state == "Active" and len(router.vips_held) < len(router.vips):
            found.append(f"virtual router {router.name} is Active and does not hold all of its addresses")
        if router.stays_backup:
            found.append(
                f"virtual router {router.name} does not preempt: it handed over, or gave up ({router.reason}); "
                "`hapair preempt` ends that"
            )
        found += _strangers(router)
    for pool in pools:
        if pool.up == 0:
            found.append(f"pool {pool.name} has no server that is UP; its clients get 503")
        elif down := ", ".join(f"{server.name} ({server.reason})" for server in pool.servers if not server.up):
            found.append(f"pool {pool.name}: DOWN: {down}")
        aside = ", ".join(f"{server.name} {server.admin.upper()}" for server in pool.servers if server.admin != "ready")
        if aside:
            found.append(f"pool {pool.name}: out of service by an administrator: {aside}")
    found += [
        f"{process.name} is {process.state}" for process in processes if process.state not in ("serving", "running")
    ]
    if not config.frontends:
        found.append("there are no frontends: this node serves nothing")
    return tuple(found)


def _lowered(router: RouterView, why: str) -> str:
    reasons = [why] if why else []
    reasons += [f"{one.name}: {one.reason}" for one in router.tracked if one.weight is not None and not one.ok]
    words = (
        f"virtual router {router.name} stands with priority {router.priority} in place of {router.configured_priority}"
    )
    return f"{words} ({', '.join(reasons)})" if reasons else words


def _about_split(routers: Iterable[RouterView], link: LinkView | None, pools: tuple[PoolView, ...]) -> Iterable[str]:
    """What an Active Router cannot know without its link: a Backup Router is silent too."""
    active = ", ".join(router.name for router in routers if router.state == "Active")
    if not active or link is None or link.up:
        return
    yield (
        f"{active} Active here, and nothing is heard of {link.peer}: it is dead, or Active too (split brain): "
        f"ask it, `hapair status` on {link.peer} ({link.peer_address}); where both are, "
        "`hapair maintenance on --force` on one of them takes its VIPs off"
    )
    if pools and all(pool.up == 0 for pool in pools):
        yield (
            "this node hears no peer and finds no server: probably it is the one that is cut off: look at its cable, "
            "its switch port and its firewall first"
        )


def _about_link(link: LinkView | None) -> Iterable[str]:
    if link is None:
        return
    if not link.up:
        known = (
            link.waiting_for and f"waits for {link.waiting_for}",
            link.last_detail and f"ended: {link.last_detail}",
        )
        why = "; ".join(one for one in known if one) or "no reason is known"
        yield f"the liveness link to {link.peer} is down ({why}): its death would be noticed by silence alone"
    if link.rejected:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(link.rejected.items()))
        yield f"the liveness link refused connections ({reasons})"


def _about_flows(flows: FlowsView | None) -> list[str]:
    if flows is None:
        return []
    found = []
    if not flows.up:
        found.append(f"flows are not told to the peer: waits for {flows.waits_for}; a failover would cut them")
    if flows.lag_s > LAGS_S:
        found.append(f"the peer is told of flows {flows.lag_s:.1f} s late")
    if flows.refused:
        refused = ", ".join(f"{count} {name}" for name, count in flows.refused.items())
        found.append(f"this kernel did not take flows of the peer: {refused}")
    if flows.untold:
        found.append(f"more flows are open than the peer can be told of: {flows.untold} changes were passed over")
    if flows.rejected:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(flows.rejected.items()))
        found.append(f"the link for flows refused connections ({reasons})")
    return found


def _about_kernel(kernel: KernelView | None) -> list[str]:
    if kernel is None:
        return []
    found = [f"kernel plane: {one}" for one in kernel.lacking]
    if kernel.obstacle is not None:
        found.append(f"the kernel plane does not work: {kernel.obstacle}")
    if kernel.restored:
        found.append(f"somebody has removed the rules of the kernel plane, {kernel.restored} times; they were put back")
    return found


def _about_fence(fence: FenceView | None) -> Iterable[str]:
    if fence is None:
        return
    if fence.obstacle is not None:
        yield f"no fence around the VIPs: {fence.obstacle}; a dead node answers for them until the lease ends"
    if fence.restored:
        yield f"somebody flushed the fence {fence.restored} times; it was put back"


def warnings_of_certificates(certificates: Iterable[CertificateView]) -> Iterable[str]:
    """Those that are not used, and those that will not do for long."""
    for one in certificates:
        if one.trouble is not None:
            yield f"{one.owner}: {one.source}: {one.trouble}"
        if one.replaced:
            yield f"{one.owner}: another certificate stands for {one.source} until that file changes"
        if one.expires_in_s is not None and one.expires_in_s < EXPIRES_SOON_S:
            days = int(one.expires_in_s // 86_400)
            when = "has expired" if days < 0 else "expires today" if not days else f"expires in {days} days"
            yield f"{one.owner}: the certificate in {one.source} {when}"


def _strangers(router: RouterView) -> Iterable[str]:
    rejected = sum(router.adverts_rejected.values())
    if rejected:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(router.adverts_rejected.items()))
        yield f"virtual router {router.name} rejected {rejected} adverts ({reasons})"
