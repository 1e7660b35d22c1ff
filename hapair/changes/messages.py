"""What two nodes say to each other of changes. Data only. Pure."""

from dataclasses import dataclass

from hapair.changes.change import Change


@dataclass(frozen=True, slots=True)
class PeerChanges:
    """What was said on this node, or heard there; none that is local."""

    changes: tuple[Change, ...]
