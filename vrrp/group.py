"""Virtual routers that must move together: IPv4 and IPv6, or the LAN's and the WAN's side of one machine. Pure.

A member that would become Active waits until every other one would too: then the peer is gone on all sides, and not
just behind one broken cable. A member that leaves takes the others along.
"""

from collections.abc import Sequence

from vrrp.router import VirtualRouter
from vrrp.states import Active, Backup


def is_ready(members: Sequence[VirtualRouter]) -> bool:
    """Whether every member is Active or would be."""
    return all(isinstance(member.state, Active) or _wants(member) for member in members)


def _wants(member: VirtualRouter) -> bool:
    return isinstance(member.state, Backup) and member.state.wants
