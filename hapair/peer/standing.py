"""What is known of the other node: the last that it said of itself, and how its file differs. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

from hapair.events.event import Happening
from hapair.peer.drift import SHOWN, differences, in_words
from hapair.peer.messages import FileDigests, Status
from hapair.snapshot import DriftView, NodeSnapshot, PeerView, RouterView
from hapair.wire import from_plain

DRIFT_PATIENCE_S = 10.0
"""A file is copied to one node after the other: a difference is told, beyond the status, when it lasts so long."""

SETTLED_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerStanding:
    """Each method gives the next one; `now` is on any one steady clock, in seconds."""

    node: str
    peer: str
    address: str
    digests: Mapping[str, str]
    """Of this node's file."""
    snapshot: NodeSnapshot | None = None
    heard_at: float | None = None
    trouble: str | None = None
    theirs: Mapping[str, str] | None = None
    """Of the peer's file."""
    drift: tuple[str, ...] | None = None
    """None: not known."""
    drifts_since: float | None = None
    told: tuple[str, ...] = ()
    """Of which drift there was an event."""

    def says(self, status: Status, now: float) -> Self:
        """How the peer is."""
        try:
            snapshot = from_plain(status.snapshot, NodeSnapshot)
        except (TypeError, ValueError, KeyError, OverflowError):
            trouble = f"what {self.peer} says cannot be read here: it runs hapair {status.hapair[:30]}"
            return replace(self, trouble=trouble, heard_at=now)
        return replace(self, snapshot=snapshot, heard_at=now, trouble=None)

    def has_file(self, file: FileDigests, now: float) -> Self:
        """What its file says."""
        return replace(self, theirs=file.digests)._compared(now)

    def reloaded(self, digests: Mapping[str, str], now: float) -> Self:
        """What the file of this node says now."""
        return replace(self, digests=digests)._compared(now)

    def _compared(self, now: float) -> Self:
        if self.theirs is None:
            return self
        drift = differences(self.digests, self.theirs, node=self.node, peer=self.peer)
        if not drift:
            return replace(self, drift=(), drifts_since=None)
        return replace(self, drift=drift, drifts_since=now if self.drifts_since is None else self.drifts_since)

    def news(self, now: float) -> tuple[Self, Happening | None]:
        """Drift that has lasted, or is over."""
        if self.drift is None or self.drift == self.told:
            return self, None
        if self.drift and now - (self.drifts_since or now) < DRIFT_PATIENCE_S:
            return self, None
        return replace(self, told=self.drift), self._drift_event(self.drift)

    def _drift_event(self, drift: tuple[str, ...]) -> Happening:
        pair = f"{self.node} and {self.peer}"
        if not drift:
            words = f"{pair} run with the same file again"
            return Happening(kind="drift", subject=self.peer, words=words, details={"differences": 0})
        return Happening(
            kind="drift",
            subject=self.peer,
            words=f"{pair} run with files that differ",
            reason=in_words(drift),
            severity="warning",
            details={"differences": len(drift)},
        )

    def view(self, now: float, *, up: bool, since_at: float, waits_for: str | None) -> PeerView:
        """For the status. The link: whether it stands, since when, and what keeps it down."""
        view = PeerView(
            name=self.peer,
            address=self.address,
            up=up,
            since_s=now - since_at,
            waits_for=waits_for,
            age_s=None if self.heard_at is None else now - self.heard_at,
            snapshot=self.snapshot,
            trouble=self.trouble,
            drift=self._drift_view(now),
        )
        return replace(view, warnings=tuple(warnings_of_peer(self.node, view)))

    def _drift_view(self, now: float) -> DriftView | None:
        if self.drift is None:
            return None
        since_s = None if self.drifts_since is None else now - self.drifts_since
        return DriftView(places=self.drift[:SHOWN], count=len(self.drift), since_s=since_s)


def warnings_of_peer(node: str, peer: PeerView) -> Iterator[str]:
    """What to look at."""
    if not peer.up:
        heard = "it was never heard" if peer.age_s is None else f"last heard {peer.age_s:.0f} s ago"
        yield f"nothing is known of how {peer.name} is ({peer.waits_for or 'no reason is known'}); {heard}"
    elif peer.trouble is not None:
        yield peer.trouble
    elif peer.snapshot is not None:
        yield from (f"{peer.name}: {warning}" for warning in peer.snapshot.warnings)
    if peer.drift is not None and peer.drift.count:
        places = ", ".join(peer.drift.places[:3])
        more = f" and {peer.drift.count - 3} more" if peer.drift.count > 3 else ""
        yield f"{node} and {peer.name} run with files that differ: {places}{more}"


def both_active(node: NodeSnapshot, peer: PeerView) -> tuple[str, ...]:
    """The virtual routers that are Active on both: known for sure where the two node processes hear each other."""
    if not peer.up or peer.snapshot is None:
        return ()
    there = {one.name for one in peer.snapshot.routers if _is_settled(one)}
    return tuple(one.name for one in node.routers if _is_settled(one) and one.name in there)


def split_brain(node: NodeSnapshot, peer: PeerView) -> Iterator[str]:
    """What to look at, and what to do, where both are Active."""
    if both := both_active(node, peer):
        yield (
            f"split brain: {', '.join(both)} Active here and on {peer.name} at once; the nodes hear each other by the "
            "link of the node processes, and adverts and the liveness link do not get through: what drops IP protocol "
            "112 and the port of that link? `hapair maintenance on --force` on one node takes its VIPs off"
        )


def split_news(before: tuple[str, ...], after: tuple[str, ...], peer: str) -> Happening | None:
    """Both have become Active, or one has given way. Each is what `both_active` found."""
    if bool(before) == bool(after):
        return None
    if after:
        words = f"split brain: {', '.join(after)} Active here and on {peer} at once"
        return Happening(kind="peer", subject=peer, words=words, severity="error", details={"split": True})
    words = f"{', '.join(before)} Active on one node alone again, or {peer} is not heard any more"
    return Happening(kind="peer", subject=peer, words=words, details={"split": False})


def _is_settled(router: RouterView) -> bool:
    """What the peer says is a second or two old: one may just have taken over from the other."""
    return router.state == "Active" and (router.since_s or 0.0) > SETTLED_S
