"""What changed for the virtual routers and the liveness link, from one report of the announcer to the next. Pure.

The announcer logs itself what it decides, at the moment; the node logs that the announcer is gone.
"""

from collections.abc import Iterator, Mapping

from hapair.events.event import Details, Happening, Kind, Severity
from vrrp.liveness.config import LinkSnapshot
from vrrp.snapshot import RouterSnapshot

GONE = "the announcer does not run"
LEFT = "it is not in the file any more"


def router_news(before: Mapping[str, RouterSnapshot], after: Mapping[str, RouterSnapshot]) -> Iterator[Happening]:
    """By name. One that is missing is Initialize: its announcer is not there, or it is gone alone."""
    gone = LEFT if after else GONE
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        yield from _transition(name, old, new, gone)
        yield from _vips(name, old, new)
        if old is not None and new is not None:
            yield from _standing(name, old, new)
        if new is not None:
            yield from _rejected(name, old, new)


def _transition(name: str, old: RouterSnapshot | None, new: RouterSnapshot | None, gone: str) -> Iterator[Happening]:
    was = "Initialize" if old is None else old.state
    state = "Initialize" if new is None else new.state
    between = 0 if old is None or new is None else new.transitions - old.transitions
    if was == state and between < 2:
        return
    words = f"{name} is {state}, was {was}"
    if between > 1:
        words += f" ({between} transitions in a moment)"
    yield Happening(
        kind="router",
        subject=name,
        words=words,
        reason=gone if new is None else new.last_reason,
        severity="warning" if was == "Active" or new is None else "info",
        details={
            "state": state,
            "old_state": was,
            "priority": None if new is None else new.priority,
            "active_router": None if new is None else new.active_router,
        },
        logged=True,
    )


def _vips(name: str, old: RouterSnapshot | None, new: RouterSnapshot | None) -> Iterator[Happening]:
    held = () if old is None else old.vips_held
    holds = () if new is None else new.vips_held
    came, left = (tuple(vip for vip in one if vip not in other) for one, other in ((holds, held), (held, holds)))
    interface = next((one.interface for one in (new, old) if one is not None), "")
    for vips, what in ((came, "put on"), (left, "taken off")):
        if vips:
            details: Details = {"vips": " ".join(vips), "interface": interface, "held": vips is came}
            words = f"{', '.join(vips)} {what} {interface}"
            yield Happening(kind="vip", subject=name, words=words, details=details)
    if old is not None and new is not None and new.vips_restored > old.vips_restored:
        words = f"a VIP of {name} was removed by somebody else and put back"
        yield Happening(kind="vip", subject=name, words=words, severity="warning", logged=True)


def _standing(name: str, old: RouterSnapshot, new: RouterSnapshot) -> Iterator[Happening]:
    if new.priority != old.priority:
        lowered = new.priority < new.configured_priority
        words = f"{name} stands with priority {new.priority}, had {old.priority}"
        details: Details = {"priority": new.priority, "configured_priority": new.configured_priority}
        severity: Severity = "warning" if lowered and new.priority < old.priority else "info"
        yield Happening(kind="priority", subject=name, words=words, severity=severity, details=details)
    if new.stays_backup != old.stays_backup:
        words = f"{name} may preempt again"
        if new.stays_backup:
            words = f"{name} does not preempt until its peer fails or `hapair preempt` is said"
        yield Happening(kind="priority", subject=name, words=words, details={"stays_backup": new.stays_backup})


def _rejected(name: str, old: RouterSnapshot | None, new: RouterSnapshot) -> Iterator[Happening]:
    """The first of each reason: whoever sends it sends ten a second."""
    before = {} if old is None else old.adverts_rejected
    for reason, count in new.adverts_rejected.items():
        if count and not before.get(reason):
            words = f"{name} rejects adverts"
            details: Details = {"reason": reason}
            yield Happening(
                kind="adverts",
                subject=name,
                words=words,
                reason=reason,
                severity="warning",
                details=details,
                logged=True,
            )


def link_news(before: LinkSnapshot | None, after: LinkSnapshot | None) -> Iterator[Happening]:
    """The liveness link: up, down, and the peer that has died. Missing: the announcer is not there."""
    was_up, is_up = before is not None and before.up, after is not None and after.up
    lost = 0 if before is None or after is None else after.lost - before.lost
    link = after or before
    if link is None or (was_up == is_up and not lost):
        return
    details: Details = {"peer": link.peer, "up": is_up, "cause": link.last_cause}
    if after is None:
        words = f"the liveness link to {link.peer} is gone"
        yield Happening(
            kind="link",
            subject=link.peer,
            words=words,
            reason=GONE,
            severity="warning",
            details=details,
            logged=True,
        )
        return
    if lost or not is_up:
        died = link.last_cause == "died"
        words = f"{link.peer} died" if died else f"the liveness link to {link.peer} is down"
        kind: Kind = "peer" if died else "link"
        reason = link.last_detail or link.waiting_for or ""
        yield Happening(
            kind=kind,
            subject=link.peer,
            words=words,
            reason=reason,
            severity="warning",
            details={**details, "up": False},
            logged=True,
        )
    if is_up:
        words = f"the liveness link to {link.peer} is up"
        yield Happening(kind="link", subject=link.peer, words=words, details=details, logged=True)
