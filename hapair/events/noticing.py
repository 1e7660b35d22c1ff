"""What changed from one snapshot of this node to the next, of all that nobody tells of in the moment. Pure.

What has a line in the log by then, from whoever found it out, is `logged`.
"""

from collections.abc import Iterator, Mapping

from hapair.events.event import Happening, Severity
from hapair.snapshot import CertificateView, FlowsView, KernelView, NodeSnapshot, PoolView, ProcessView

DAY_S = 86_400.0
EXPIRY_S = (14 * DAY_S, 7 * DAY_S, 3 * DAY_S, DAY_S, 0.0)
"""A certificate is spoken of when it comes below each of these."""
WELL = ("serving", "running")


def noticed(before: NodeSnapshot | None, after: NodeSnapshot) -> Iterator[Happening]:
    """`before` None: the first look, which tells of what is wrong only."""
    yield from _processes(() if before is None else before.processes, after.processes)
    yield from _fence(before, after)
    yield from _kernel(None if before is None else before.kernel, after.kernel)
    if before is not None:
        yield from _flows(before.flows, after.flows)
    yield from _certificates(() if before is None else before.certificates, after.certificates)
    yield from _tracked(before, after)
    yield from _pools(() if before is None else before.pools, after.pools)


def _processes(before: tuple[ProcessView, ...], after: tuple[ProcessView, ...]) -> Iterator[Happening]:
    known = {one.name: one for one in before}
    for one in after:
        old = known.get(one.name)
        if old is None:
            continue
        ended = old.pid is not None and one.pid != old.pid
        if ended:
            words = f"{one.name} (pid {old.pid}) is gone"
            details = {"pid": old.pid}
            yield Happening(
                kind="process",
                subject=one.name,
                words=words,
                reason=one.ended,
                severity="error",
                details=details,
                logged=True,
            )
        if one.state in WELL and (old.state not in WELL or ended):
            words = f"{one.name} is {one.state} (pid {one.pid})"
            logged = one.name.startswith("worker")  # it is, when it says so
            yield Happening(kind="process", subject=one.name, words=words, details={"pid": one.pid}, logged=logged)


def _fence(before: NodeSnapshot | None, after: NodeSnapshot) -> Iterator[Happening]:
    new = after.fence
    if new is None:
        return
    old = None if before is None else before.fence
    if old is not None and new.restored > old.restored:
        words = "the fence was flushed by somebody else and put back"
        details = {"restored": new.restored}
        yield Happening(kind="fence", subject="fence", words=words, severity="warning", details=details, logged=True)
    obstacle = None if old is None else old.obstacle
    if new.obstacle and new.obstacle != obstacle:
        yield Happening(
            kind="fence",
            subject="fence",
            words="no fence stands around the VIPs",
            reason=new.obstacle,
            severity="warning",
            logged=True,
        )
    if obstacle and not new.obstacle:
        yield Happening(kind="fence", subject="fence", words="the fence around the VIPs stands")


def _kernel(old: KernelView | None, new: KernelView | None) -> Iterator[Happening]:
    if new is None:
        return
    subject = "kernel plane"
    if old is not None and new.restored > old.restored:
        words = "the rules of the kernel plane were removed by somebody else and put back"
        details = {"restored": new.restored}
        yield Happening(kind="kernel", subject=subject, words=words, severity="warning", details=details, logged=True)
    obstacle = None if old is None else old.obstacle
    if new.obstacle and new.obstacle != obstacle:
        words = "the kernel plane does not work"
        yield Happening(kind="kernel", subject=subject, words=words, reason=new.obstacle, severity="error", logged=True)
    if obstacle and not new.obstacle:
        yield Happening(kind="kernel", subject=subject, words="the kernel plane works", logged=True)


def _flows(old: FlowsView | None, new: FlowsView | None) -> Iterator[Happening]:
    if new is None or (old is None and not new.up) or (old is not None and old.up == new.up):
        return
    words = f"flows are {'told' if new.up else 'not told'} to the peer"
    yield Happening(
        kind="flows",
        subject="flows",
        words=words,
        reason=new.waits_for or "",
        severity="info" if new.up else "warning",
        details={"up": new.up},
        logged=True,
    )


def _certificates(before: tuple[CertificateView, ...], after: tuple[CertificateView, ...]) -> Iterator[Happening]:
    known = {(one.owner, one.source): one for one in before}
    for one in after:
        old = known.get((one.owner, one.source))
        yield from _certificate(f"{one.owner}: {one.source}", old, one)


def _certificate(subject: str, old: CertificateView | None, new: CertificateView) -> Iterator[Happening]:
    if new.trouble and (old is None or old.trouble != new.trouble):
        yield Happening(
            kind="certificate",
            subject=subject,
            words="the certificate's file is not used",
            reason=new.trouble,
            severity="error",
            logged=True,
        )
    if new.expires_in_s is None:
        return
    left = None if old is None else old.expires_in_s
    if left is not None and new.expires_in_s > left + DAY_S:
        words = f"the certificate was renewed, and expires in {_days(new.expires_in_s)}"
        details = {"expires_in_s": round(new.expires_in_s)}
        yield Happening(kind="certificate", subject=subject, words=words, details=details, logged=True)
    elif (limit := _step(new.expires_in_s)) is not None and (left is None or _step(left) != limit):
        expired = new.expires_in_s <= 0
        yield Happening(
            kind="certificate",
            subject=subject,
            words="the certificate has expired" if expired else f"the certificate expires in {_days(new.expires_in_s)}",
            severity="error" if new.expires_in_s <= DAY_S else "warning",
            details={"expires_in_s": round(new.expires_in_s)},
        )


def _step(expires_in_s: float) -> float | None:
    """The lowest of EXPIRY_S that it has come below."""
    below = [limit for limit in EXPIRY_S if expires_in_s <= limit]
    return below[-1] if below else None


def _days(seconds: float) -> str:
    days = int(seconds // DAY_S)
    return f"{days} day{'' if days == 1 else 's'}" if days else f"{int(seconds // 3600)} hours"


def _tracked(before: NodeSnapshot | None, after: NodeSnapshot) -> Iterator[Happening]:
    known = _all_tracked(before)
    for key, (ok, reason, weight) in _all_tracked(after).items():
        was = known.get(key)
        if (was is None and ok) or (was is not None and was[0] == ok):
            continue
        router, name = key
        yield Happening(
            kind="tracking",
            subject=router,
            words=f"{name} is {'well' if ok else 'not well'}, on which {router} depends",
            reason=reason,
            severity="info" if ok else "warning",
            details={"tracked": name, "ok": ok, "weight": weight},
        )


def _all_tracked(node: NodeSnapshot | None) -> Mapping[tuple[str, str], tuple[bool, str, int | None]]:
    routers = () if node is None else node.routers
    return {(router.name, one.name): (one.ok, one.reason, one.weight) for router in routers for one in router.tracked}


def _pools(before: tuple[PoolView, ...], after: tuple[PoolView, ...]) -> Iterator[Happening]:
    known = {one.name: one for one in before}
    for one in after:
        old = known.get(one.name)
        had = old is None or old.up > 0
        if had == (one.up > 0):
            continue
        words = f"pool {one.name} {'has a server that is UP again' if one.up else 'has no server that is UP'}"
        severity: Severity = "info" if one.up else "error"
        yield Happening(kind="pool", subject=one.name, words=words, severity=severity, details={"up": one.up})
