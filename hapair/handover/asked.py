"""What two nodes say to each other when one wants the VIPs that the other has. Data only. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeerAsksForVips:
    """Hand over to me, please, as `hapair handover` does."""

    id: str
    by: str
    """Who wants it."""


@dataclass(frozen=True, slots=True)
class PeerOnItsWay:
    """How that goes. `ok` None: there is more to come."""

    id: str
    words: str
    ok: bool | None = None
