"""A node's servers without its processes: real checks, changes and membership; what is open is said by the test."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from balancer.checks.runner import CheckRunner
from balancer.config import BalancerConfig, Frontend, Pool
from balancer.fieldtypes import Endpoint
from balancer.queue_counts import QueueCounts
from hapair.changes import store
from hapair.changes.change import Said
from hapair.changes.register import Register
from hapair.node_changes import NodeChanges
from hapair.node_membership import Membership
from hapair.snapshot import NodeSnapshot, PoolView
from tests.unit.hapair.admin.sample import NODE, NOTHING, WEB1


class MembershipStage:
    """Pools and what is said of them; `reshaped` has the servers that were new, each time that there were others."""

    def __init__(self, pools: Mapping[str, Pool], folder: Path) -> None:
        self.open: dict[str, int] = {}
        self.waiting: dict[str, int] = {}
        self.reshaped: list[list[tuple[str, str]]] = []
        self.settled = 0
        register = Register("pi-a", Said(pools=pools), store.load(folder))
        self.checks = CheckRunner(register.pools, lambda *_: None)
        self.changes = NodeChanges(register, self.checks, folder, reshape=self._reshape, settled=self._settle)
        self.changes.begin()
        self.members = Membership(self.changes, self.look)

    def _reshape(self, fresh: Collection[tuple[str, str]]) -> None:
        self.reshaped.append(sorted(fresh))
        for pair in fresh:
            self.checks.forget(*pair)
        self.checks.reload(self.changes.pools)

    async def _settle(self) -> None:
        self.settled += 1

    @property
    def config(self) -> BalancerConfig:
        web = Frontend(listen=(Endpoint("192.0.2.100", 8080),), pool=next(iter(self.changes.pools)))
        return BalancerConfig(frontends={"web": web}, pools=self.changes.pools)

    def servers(self, pool: str = "web") -> list[str]:
        """As who checks them knows them."""
        return list(self.checks.snapshot()[pool])

    def look(self) -> NodeSnapshot:
        pools = []
        for pool, servers in self.checks.snapshot().items():
            views = tuple(
                replace(
                    WEB1,
                    name=name,
                    admin=health.admin,
                    checks_on=health.checks_on,
                    counts=replace(NOTHING, open=self.open.get(name, 0)),
                    queue=QueueCounts(waiting=self.waiting.get(name, 0)),
                )
                for name, health in servers.items()
            )
            pools.append(PoolView(name=pool, policy="round_robin", servers=views))
        return self.changes.seen(replace(NODE, pools=tuple(pools), warnings=()))
