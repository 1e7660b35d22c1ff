"""What each virtual router's standing follows from: interfaces, which the announcer watches for itself, and all else as
the node tells it. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence

from vrrp.config import OWNER_PRIORITY
from vrrp.interfaces import Interface
from vrrp.tracking import InterfaceTrack, Tracked, standing

Changes = dict[str, tuple[int, str | None]]
"""By virtual router: its effective priority, and why it takes no part (None: it does)."""


class Standings:
    """Pure. Every method returns the routers whose standing it may have changed."""

    def __init__(
        self, configured: Mapping[str, int], tracked: Mapping[str, Sequence[InterfaceTrack]] | None = None
    ) -> None:
        """`configured`: the priority of each virtual router."""
        self._configured = dict(configured)
        self._interfaces = dict(tracked or {})
        self._seen: dict[str, Interface] = {}
        self._told: dict[str, tuple[Tracked, ...]] = {}
        self._lowered: int | None = None

    def reconfigured(
        self, configured: Mapping[str, int], tracked: Mapping[str, Sequence[InterfaceTrack]]
    ) -> "Standings":
        """Those of other virtual routers, with all that is known of them and of interfaces."""
        others = Standings(configured, tracked)
        others._seen = dict(self._seen)
        others._told = {router: told for router, told in self._told.items() if router in configured}
        others._lowered = self._lowered
        return others

    def all(self) -> Changes:
        """How each router stands."""
        return self._of(self._configured)

    @property
    def watched(self) -> frozenset[str]:
        """The interfaces that matter."""
        return frozenset(track.interface for tracks in self._interfaces.values() for track in tracks)

    def interface_changed(self, interface: Interface) -> Changes:
        """What is now known of an interface."""
        if interface.name not in self.watched:
            return {}
        self._seen[interface.name] = interface
        return self._of(name for name, tracks in self._interfaces.items() if _names(tracks, interface.name))

    def told(self, router: str, tracked: Sequence[Tracked]) -> Changes:
        """What the node has found out about everything else."""
        self._told[router] = tuple(tracked)
        return self._of([router])

    def lowered(self, priority: int | None) -> Changes:
        """No router stands with a higher priority than this, but an address owner; None: as configured."""
        self._lowered = priority
        return self._of(self._configured)

    def _of(self, names: Iterable[str]) -> Changes:
        return {name: self._standing(name) for name in names}

    def _standing(self, name: str) -> tuple[int, str | None]:
        tracked = [*self._told.get(name, ()), *map(self._interface, self._interfaces.get(name, ()))]
        found = standing(self._configured[name], tracked)
        if self._lowered is None or self._configured[name] == OWNER_PRIORITY:
            return found.priority, found.closed
        return min(found.priority, self._lowered), found.closed

    def _interface(self, track: InterfaceTrack) -> Tracked:
        seen = self._seen.get(track.interface)
        if seen is None:
            return Tracked(f"interface {track.name}", True, "not looked at yet", track.weight)
        reason = "it is up" if seen.up else "it is down" if seen.index else "it does not exist"
        return Tracked(f"interface {track.name}", seen.up, reason, track.weight)


def _names(tracks: Sequence[InterfaceTrack], interface: str) -> bool:
    return any(track.interface == interface for track in tracks)
