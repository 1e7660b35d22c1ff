"""What people order of counters: to begin anew, in every worker and in what the node itself has counted."""

from collections.abc import Callable
from typing import Protocol

from hapair.baseline import Baseline, baseline_of, reckoned
from hapair.messages import Order
from hapair.ordering import Orders
from hapair.snapshot import NodeSnapshot


class Ended(Protocol):
    """balancer.slots.Slots, which know what workers have counted that are no more."""

    def forget_ended_maxima(self) -> None: ...


class NodeCounters:
    """Of one node."""

    def __init__(self, orders: Orders, ended: Callable[[], Ended], look: Callable[[], object]) -> None:
        """`look` takes a snapshot, which `seen` is given."""
        self._orders = orders
        self._ended = ended
        self._look = look
        self._since: Baseline | None = None
        self._counted: NodeSnapshot | None = None
        """As it was last seen, reckoned from the start."""

    async def forget_maxima(self) -> None:
        """What is the most that was met begins anew; totals go on."""
        await self._orders.give(Order(serial=0, what="forget_maxima"))
        self._ended().forget_ended_maxima()

    async def forget_counts(self) -> None:
        """Totals begin anew too."""
        await self._orders.give(Order(serial=0, what="forget_counts"))
        self._ended().forget_ended_maxima()
        self._look()
        if self._counted is not None:
            self._since = baseline_of(self._counted)

    def seen(self, node: NodeSnapshot) -> NodeSnapshot:
        """The same, as it is to be reckoned."""
        self._counted = node
        if self._since is None:
            return node
        self._since = self._since.among(node)
        return reckoned(node, self._since)
