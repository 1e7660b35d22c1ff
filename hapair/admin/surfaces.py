"""What the admin server serves: health of the node for those who ask without a password, metrics, statistics."""

from collections.abc import Callable

from hapair.admin import haproxy_metrics, pair_metrics, persistence_metrics
from hapair.admin.exposition import CONTENT_TYPE, exposition
from hapair.admin.haproxy_rows import Row, rows_of
from hapair.admin.rates import Rates
from hapair.admin.router import Request, Response, Route, text
from hapair.snapshot import NodeSnapshot


class Surfaces:
    """One node's. `look` gives its snapshot, `clock` the time that `rates` are sampled by."""

    def __init__(
        self, look: Callable[[], NodeSnapshot], rates: Rates, clock: Callable[[], float], *, started_at: float
    ) -> None:
        self.look = look
        self.rates = rates
        self._clock = clock
        self.started_at = started_at

    def rows(self) -> tuple[NodeSnapshot, list[Row]]:
        """The node and its statistics, of the same moment."""
        node, now = self.look(), self._clock()
        self.rates.sample(node, now)
        return node, rows_of(node, self.rates, now)

    def routes(self) -> list[Route]:
        """Those of this module."""
        return [
            Route(path="/healthz", handler=self.alive, level=None),
            Route(path="/readyz", handler=self.ready, level=None),
            Route(path="/metrics", handler=self.metrics),
        ]

    async def alive(self, request: Request) -> Response:
        """Whoever gets this knows that the node process turns."""
        return text(200, "ok\n")

    async def ready(self, request: Request) -> Response:
        """Whether this node can serve, Active or Standby."""
        return text(200, "ready\n") if self.look().ready else text(503, "not ready\n")

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text format."""
        node, rows = self.rows()
        body = exposition(
            (
                *haproxy_metrics.metrics_of(node, rows, self.started_at),
                *pair_metrics.metrics_of(node),
                *persistence_metrics.metrics_of(node),
            )
        )
        return Response(body=body, content_type=CONTENT_TYPE)
