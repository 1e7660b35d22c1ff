"""What the actions of HAProxy's page do, and what came of them."""

from typing import Any

import pytest

from hapair.admin.operator import ACTIONS, act, act_on_all
from tests.unit.hapair.admin.recorder import Recorder


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("ready", ("administer", "web", "web1", "ready", "a test")),
        ("drain", ("administer", "web", "web1", "drain", "a test")),
        ("maint", ("administer", "web", "web1", "maint", "a test")),
        ("enable", ("administer", "web", "web1", "ready", "a test")),
        ("disable", ("administer", "web", "web1", "maint", "a test")),
        ("stop", ("weigh", "web", "web1", 0)),
        ("start", ("weigh", "web", "web1", None)),
        ("dhlth", ("watch", "web", "web1", False, None)),
        ("ehlth", ("watch", "web", "web1", True, None)),
        ("dagent", ("watch", "web", "web1", None, False)),
        ("eagent", ("watch", "web", "web1", None, True)),
        ("hrunn", ("health", "web", "web1", "up")),
        ("hnolb", ("health", "web", "web1", "stopping")),
        ("hdown", ("health", "web", "web1", "down")),
    ],
)
def test_each_action(action: str, told: tuple[Any, ...]) -> None:
    operator = Recorder()
    act(operator, action, "web", "web1", by="a test")
    assert operator.told == [told]
    assert action in ACTIONS


@pytest.mark.parametrize(
    ("action", "pool", "servers", "word"),
    [
        ("drain", "web", ["web1", "web2"], "DONE"),
        ("drain", "web", ["web1", "web9"], "PART"),
        ("drain", "web", ["web9"], "ERRP"),
        ("drain", "nope", ["web1"], "ERRP"),
        ("reboot", "web", ["web1"], "ERRP"),
        ("adown", "web", ["web1"], "ERRP"),
        ("drain", "web", [], "NONE"),
    ],
)
def test_what_came_of_it(action: str, pool: str, servers: list[str], word: str) -> None:
    assert act_on_all(Recorder(), action, pool, servers, by="a test") == word
