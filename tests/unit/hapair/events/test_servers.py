"""Events of servers, from one state to the next."""

from dataclasses import replace

import pytest

from balancer.config_checks import Check
from balancer.fieldtypes import Endpoint
from balancer.health import Health
from balancer.serverstate import ServerState
from balancer.standing import Place
from hapair.events.servers import server_news

UP = ServerState(1, Health(rise=2, fall=3, count=2))
DOWN = replace(UP, health=Health(rise=2, fall=3, count=0), flip_reason="connection refused")
A, B = Place(Endpoint("192.0.2.21", 80)), Place(Endpoint("192.0.2.22", 80))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (UP, UP, []),
        (UP, DOWN, [("server", "warning", "web/web1 is DOWN", "connection refused", "")]),
        (DOWN, replace(UP, flip_reason="200 OK"), [("server", "info", "web/web1 is UP", "200 OK", "")]),
        (
            UP,
            replace(UP, resolved=False, flip_reason="no such name"),
            [("server", "warning", "web/web1 is in MAINT, its name is not resolved", "no such name", "")],
        ),
        (
            UP,
            replace(UP, admin="drain", admin_by="hapair server"),
            [("admin", "info", "web/web1 is DRAIN, was READY", "", "hapair server")],
        ),
        (UP, replace(UP, weight=5), [("admin", "info", "web/web1 has weight 5", "", "")]),
        (replace(UP, weight=5), UP, [("admin", "info", "web/web1 has weight 1", "", "")]),
        (UP, replace(UP, max_connections=9), [("admin", "info", "web/web1 has a limit of 9 for connections", "", "")]),
        (
            replace(UP, max_connections=9),
            UP,
            [("admin", "info", "web/web1 has the file's limit for connections", "", "")],
        ),
        (UP, replace(UP, checks_on=False), [("admin", "info", "web/web1: its checks are stopped", "", "")]),
        (replace(UP, checks_on=False), UP, [("admin", "info", "web/web1: its checks are on again", "", "")]),
        (UP, replace(UP, agent_on=False), [("admin", "info", "web/web1: its agent is stopped", "", "")]),
        (replace(UP, agent_on=False), UP, [("admin", "info", "web/web1: its agent is on again", "", "")]),
        (UP, replace(UP, place=A), []),
        (
            replace(UP, place=A),
            replace(UP, place=B),
            [("server", "info", "web/web1 moved from 192.0.2.21:80 to 192.0.2.22:80", "", "")],
        ),
    ],
)
def test_what_is_told(before: ServerState, after: ServerState, expected: list[tuple[str, ...]]) -> None:
    news = server_news("web", "web1", before, after)
    assert [(one.kind, one.severity, one.words, one.reason, one.by) for one in news] == expected


def test_for_programs() -> None:
    before = ServerState.initial(1, Check(tcp=True, rise=1, fall=1))
    after = before.probed(False, reason="refused", now=5.0)
    (down,) = server_news("web", "web1", before, after)
    assert (down.subject, down.details) == ("web/web1", {"up": False, "health": "DOWN", "admin": "ready"})
