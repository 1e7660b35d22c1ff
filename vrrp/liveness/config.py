"""What a liveness link is told, and what can be seen of it. Pure."""

from dataclasses import dataclass, field

from vrrp.config import Address
from vrrp.liveness.session import SECRET_MIN_BYTES

_SILENCE_INTERVALS, _SILENCE_MIN_S = 3, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkConfig:
    """One node's end of the link. It validates itself, in words for the person who wrote it."""

    node: str
    peer: str
    """The names of the two nodes. The one with the lower name dials."""
    address: Address
    peer_address: Address
    """Of one family."""
    port: int
    secret: bytes = field(repr=False)
    """The same on both; at least 16 bytes. It never travels."""
    interval_s: float
    """How often each end says something, at least: the advertisements' interval."""
    purpose: str = "liveness"

    def __post_init__(self) -> None:
        if self.node == self.peer:
            raise ValueError(f"the two nodes of a pair must have different names: both are {self.node!r}")
        if self.address.version != self.peer_address.version:
            raise ValueError(f"the nodes' addresses must be of one family: {self.address} and {self.peer_address}")
        if self.address == self.peer_address:
            raise ValueError(f"the two nodes of a pair must have different addresses: both have {self.address}")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port must be from 1 to 65535, not {self.port}")
        if len(self.secret) < SECRET_MIN_BYTES:
            raise ValueError(f"the pair's secret must have at least {SECRET_MIN_BYTES} bytes, not {len(self.secret)}")
        if not self.interval_s > 0:
            raise ValueError(f"the interval must be longer than nothing, not {self.interval_s}")

    @property
    def dial(self) -> bool:
        """Whether this end makes the connection."""
        return self.node < self.peer

    @property
    def pace_s(self) -> float:
        """How often this end says something: often enough for a peer that goes by a shorter interval, for now."""
        return min(self.interval_s, _SILENCE_MIN_S / _SILENCE_INTERVALS)

    @property
    def silence_limit_s(self) -> float:
        """After how long a connection on which nothing comes is given up."""
        return max(_SILENCE_INTERVALS * self.interval_s, _SILENCE_MIN_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSnapshot:
    """The link at one moment. Counters count from its start. Plain fields, so that it can be sent as JSON."""

    up: bool
    since_monotonic: float
    """Since when it is up or down, on CLOCK_MONOTONIC."""
    peer: str
    peer_address: str
    lost: int
    """How often it was up and ended."""
    last_cause: str | None
    """Of the last end: died or ended."""
    last_detail: str | None
    """The same in words."""
    waiting_for: str | None
    """What keeps it down, where it is known."""
    rejected: dict[str, int]
    """Connections that were refused, by reason; see `vrrp.liveness.session.RejectReason`."""
    round_trip_s: float | None
    """As TCP measures it."""
