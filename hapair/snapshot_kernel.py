"""What is shown of the kernel plane: its rules, and the flows that the peer is told of. Frozen. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelView:
    """The kernel plane: rules of nftables."""

    obstacle: str | None
    """Why they are not in place; None: they are."""
    restored: int
    """How often somebody else had removed them."""
    lacking: tuple[str, ...] = ()
    """What this machine needs and we could not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowsView:
    """Flows of the kernel plane, told to the peer. Counters since the flows process started."""

    up: bool
    waits_for: str | None
    waiting: int
    """Changes that the peer is yet to be told."""
    lag_s: float
    """From a change here to its entry in the peer's kernel."""
    told: int
    """Flows of this node that the peer knows."""
    open: Mapping[str, int] = field(default_factory=dict)
    """The same, by frontend; those that have none are left out."""
    sent: int
    received: int
    refused: Mapping[str, int]
    """What this kernel did not take, by errno."""
    foreign: int
    overruns: int
    resyncs: int
    resync_s: float
    untold: int = 0
    """News of flows that were passed over, for as many as may be are known to the peer."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Conversations that ended with something that is not from the peer, or makes no sense, by reason."""
