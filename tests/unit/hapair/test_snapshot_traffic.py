"""What is shown of pools and servers."""

from dataclasses import replace

from hapair.snapshot_traffic import PoolView, ServerView
from tests.unit.hapair.test_snapshot_warnings import DOWN, SERVER


def pool(*servers: ServerView) -> PoolView:
    return PoolView(name="web", policy="round_robin", servers=servers)


def test_servers_that_are_up_are_counted_but_those_in_maintenance_are_not() -> None:
    assert pool(SERVER, DOWN).up == 1
    assert pool(SERVER, replace(SERVER, admin="drain"), replace(SERVER, admin="maint")).up == 2
    assert pool().up == 0
