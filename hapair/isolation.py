"""Are servers DOWN, or is this node cut off from them and from its peer alike? Pure.

Flows of a server that is DOWN are cut. But a node whose cable is pulled, or whose switch lets nothing through, finds
every server DOWN while its peer goes on serving: it must touch none of the flows, or it would reset those of its peer
in the moment in which it is heard again.
"""

from dataclasses import dataclass
from math import inf

MARGIN_S = 0.5
RECHECK_S = 10.0
"""From when the link is up again until servers that were out of reach have been checked anew."""


@dataclass(slots=True)
class Isolation:
    """`silence_limit_s`: how long the link to the peer is silent before it counts as down; None: there is no link."""

    silence_limit_s: float | None
    _unsure_until: float = -inf
    _was_linked: bool = False

    def server_down(self, now: float) -> None:
        """A server has just been found DOWN. Were this node cut off, its link would be down a moment later."""
        if self.silence_limit_s is not None:
            self._unsure_until = max(self._unsure_until, now + self.silence_limit_s + MARGIN_S)

    def holds(self, *, linked: bool, server_up: bool, now: float) -> bool:
        """Whether flows are to be left alone for now. `server_up`: a server is UP, so something is in reach."""
        if self.silence_limit_s is None:
            return False
        if linked and not self._was_linked:
            self._unsure_until = now + RECHECK_S
        self._was_linked = linked
        return now < self._unsure_until or (not linked and not server_up)
