"""How servers and routers stood, under a clock of ours."""

from dataclasses import replace

import pytest

from hapair.admin.health_history import MOST, HealthHistory, standing_of
from hapair.snapshot import NodeSnapshot, ServerView
from tests.unit.hapair.admin.sample import NODE, ROUTER, WEB1, WEB2, WEB3

POOL, KEY = NODE.pools[0], ("server", "web", "web1")


def node(server: ServerView) -> NodeSnapshot:
    return replace(NODE, pools=(replace(POOL, servers=(server,)),))


UP, DOWN = node(replace(WEB1, health="UP")), node(WEB2)
DOWN = node(replace(WEB2, name="web1", health="DOWN"))


@pytest.mark.parametrize(
    ("server", "standing"),
    [
        (replace(WEB1, health="UP"), "up"),
        (replace(WEB1, health="no check"), "up"),
        (WEB1, "failing"),
        (replace(WEB2, health="DOWN"), "down"),
        (WEB2, "returning"),
        (WEB3, "drain"),
        (replace(WEB2, health="DOWN", admin="drain"), "down"),
        (replace(WEB2, admin="maint"), "maint"),
    ],
)
def test_a_server_stands_in_one_word(server: ServerView, standing: str) -> None:
    assert standing_of(server) == standing


def test_changes_are_kept_with_their_second() -> None:
    history = HealthHistory()
    for now, seen in ((10.2, UP), (11.2, UP), (12.9, DOWN), (14.0, UP)):
        history.sample(seen, now)
    assert history.changes[KEY] == ((10, "up"), (12, "down"), (14, "up"))
    assert history.changes["router", "lan"] == ((10, "Active"),)
    assert history.changes[("link",)] == ((10, "up"),)


def test_what_ended_an_hour_ago_is_forgotten() -> None:
    history = HealthHistory()
    history.sample(UP, 10.0)
    history.sample(DOWN, 20.0)
    history.sample(DOWN, 3619.0)
    assert history.changes[KEY] == ((10, "up"), (20, "down"))
    history.sample(DOWN, 3620.0)
    assert history.changes[KEY] == ((20, "down"),)


def test_one_that_flaps_for_a_day_takes_a_bounded_place() -> None:
    history = HealthHistory()
    for second in range(0, 86_400, 2):
        history.sample(UP, float(second))
        history.sample(DOWN, second + 1.0)
    assert len(history.changes[KEY]) == MOST
    assert history.changes[KEY][-1] == (86_399, "down")


def test_who_is_gone_is_forgotten() -> None:
    history = HealthHistory()
    history.sample(UP, 10.0)
    history.sample(replace(NODE, pools=(), routers=(replace(ROUTER, name="wan"),), link=None), 11.0)
    assert history.changes == {("router", "wan"): ((11, "Active"),)}
