"""Row by row: what is known of a server, what is said, what is known then."""

from dataclasses import replace
from typing import Any

import pytest

from balancer.checks.agent_words import AgentWords
from balancer.config_checks import Check
from balancer.fieldtypes import Endpoint
from balancer.serverstate import ServerState
from balancer.standing import Place, Standing

CHECK = Check(rise=2, fall=3)
NEW = ServerState.initial(10, CHECK)
UP = NEW.probed(True, reason="", now=0.0)
DOWN = NEW.probed(False, reason="HTTP 503", now=5.0)
UNCHECKED = ServerState.initial(10, None)


@pytest.mark.parametrize(
    ("state", "text", "up"),
    [
        (NEW, "UP 1/3", True),
        (UP, "UP", True),
        (DOWN, "DOWN", False),
        (UNCHECKED, "no check", True),
        (replace(UP, agent_up=False), "DOWN (agent)", False),
        (replace(DOWN, agent_up=False), "DOWN", False),
        (replace(UNCHECKED, agent_up=False), "DOWN (agent)", False),
        (ServerState.initial(1, Check(initial="fully_up")), "UP", True),
        (ServerState.initial(1, Check(initial="down")), "DOWN 1/2", False),
        (ServerState.initial(1, Check(initial="fully_down")), "DOWN", False),
    ],
)
def test_how_it_reads(state: ServerState, text: str, up: bool) -> None:
    assert (state.text, state.up) == (text, up)


def test_the_probe_that_flips_says_why_and_when() -> None:
    assert (DOWN.flip_reason, DOWN.flipped_at, DOWN.returned_at) == ("HTTP 503", 5.0, None)

    half = DOWN.probed(True, reason="HTTP 200", now=7.0)
    back = half.probed(True, reason="HTTP 200", now=9.0)

    assert (half.flip_reason, half.flipped_at) == ("HTTP 503", 5.0)
    assert (back.flip_reason, back.flipped_at, back.returned_at) == ("HTTP 200", 9.0, 9.0)
    assert back.standing(10.5) == Standing(age_s=1.5)


@pytest.mark.parametrize(
    ("on_error", "before", "text"),
    [
        ("fast_interval", UP, "UP"),
        ("fail_check", UP, "UP 2/3"),
        ("fail_check", NEW, "DOWN"),
        ("sudden_death", UP, "UP 1/3"),
        ("sudden_death", NEW, "DOWN"),
        ("mark_down", UP, "DOWN"),
        ("mark_down", DOWN, "DOWN"),
        ("fail_check", DOWN.probed(True, reason="", now=6.0), "DOWN 1/2"),
        ("mark_down", UNCHECKED, "no check"),
    ],
)
def test_too_many_errors(on_error: Any, before: ServerState, text: str) -> None:
    after = before.erred(on_error, reason="10 errors in a row", now=8.0)

    assert after.text == text
    if before.up != after.up:
        assert (after.flip_reason, after.flipped_at) == ("10 errors in a row", 8.0)


@pytest.mark.parametrize(
    ("words", "standing"),
    [
        (AgentWords(health="down"), Standing(up=False)),
        (AgentWords(health="up"), Standing()),
        (AgentWords(admin="drain"), Standing(admin="drain")),
        (AgentWords(percent=75), Standing(weight=7)),
        (AgentWords(percent=9999), Standing(weight=256)),
        (AgentWords(weight=300), Standing(weight=256)),
        (AgentWords(max_connections=5), Standing(max_connections=5)),
        (AgentWords(max_connections=0), Standing()),
    ],
)
def test_an_agent(words: AgentWords, standing: Standing) -> None:
    assert UP.agent_said(words, now=3.0).standing(3.0) == standing


def test_only_an_agent_undoes_its_own_down() -> None:
    down = UP.agent_said(AgentWords(health="down", text="down full"), now=3.0)
    assert (down.flip_reason, down.flipped_at) == ("its agent says down full", 3.0)
    assert not down.probed(True, reason="", now=4.0).up
    assert down.agent_said(AgentWords(percent=100), now=4.0).agent_up is False

    up = down.agent_said(AgentWords(health="up", text="up"), now=5.0)
    assert up.standing(6.0) == Standing(age_s=1.0)


def test_admin_state_and_health_are_kept_apart() -> None:
    drained = UP.administered("drain", by="hapair server", now=2.0)

    assert (drained.up, drained.text, drained.flip_reason) == (True, "UP", "DRAIN by hapair server")
    assert drained.administered("ready", by="hapair server", now=3.0).returned_at is None
    assert drained.administered("drain", by="somebody else", now=3.0) is drained


def test_whoever_returns_from_maintenance_is_up_and_one_failure_from_down() -> None:
    maint = DOWN.administered("maint", by="hapair server", now=6.0)
    assert not maint.is_probed
    assert maint.erred("mark_down", reason="", now=6.5) is maint

    back = maint.administered("ready", by="hapair server", now=8.0)

    assert (back.text, back.up, back.returned_at, back.is_probed) == ("UP 1/3", True, 8.0, True)
    assert back.probed(False, reason="", now=9.0).text == "DOWN"


def test_a_weight() -> None:
    assert UP.weighed(7).standing(0.0) == Standing(weight=7)
    assert UP.weighed(7).weighed(None).standing(0.0) == Standing()
    with pytest.raises(ValueError, match="from 0 to 256"):
        UP.weighed(257)


def test_how_often_and_for_how_long_it_was_down() -> None:
    assert (DOWN.failed_probes, DOWN.downs, DOWN.down_s(7.5)) == (1, 1, 2.5)
    up = DOWN.probed(True, reason="", now=6.0).probed(True, reason="", now=9.0)
    assert (up.text, up.downs, up.down_s(100.0)) == ("UP", 1, 4.0)
    again = replace(up, agent_up=True).agent_said(AgentWords(health="down"), now=20.0)
    assert (again.downs, again.down_s(21.0), again.failed_probes) == (2, 5.0, 1)


def test_somebodys_word_for_its_checks() -> None:
    down = UP.forced("down", by="the runtime socket", now=3.0)
    assert (down.text, down.flip_reason, down.downs) == ("DOWN", "DOWN by the runtime socket", 1)
    assert down.probed(True, reason="", now=4.0).text == "DOWN 1/2"
    assert down.forced("up", by="x", now=5.0).text == "UP"
    with pytest.raises(ValueError, match="not enabled"):
        UNCHECKED.forced("up", by="x", now=1.0)


def test_one_that_is_stopping_is_up_and_left_by_new_work_until_it_passes() -> None:
    stopping = UP.forced("stopping", by="x", now=3.0)
    assert (stopping.text, stopping.up, stopping.downs) == ("NOLB", True, 0)
    assert (stopping.flip_reason, stopping.flipped_at) == ("STOPPING by x", 3.0)
    assert stopping.standing(3.0) == Standing(admin="drain")
    assert stopping.administered("maint", by="x", now=3.0).standing(3.0).admin == "maint"
    failed = stopping.probed(False, reason="", now=4.0)
    assert (failed.text, failed.is_stopping) == ("NOLB 2/3", True)
    assert failed.probed(True, reason="", now=5.0).text == "UP"
    assert failed.probed(False, reason="", now=5.0).probed(False, reason="", now=6.0).text == "DOWN"
    assert stopping.forced("up", by="x", now=5.0).text == "UP"


def test_a_limit() -> None:
    assert UP.limited(7).standing(0.0) == Standing(max_connections=7)
    assert UP.limited(7).limited(None).standing(0.0) == Standing()


THERE = Place(Endpoint("192.0.2.1", 80), weight=5)
ELSEWHERE = Place(Endpoint("192.0.2.2", 80), weight=6, backup=True)
NAMED = ServerState.initial(10, CHECK, resolved=False)


def test_a_server_whose_name_is_not_resolved_is_in_maint_and_says_why() -> None:
    assert (NAMED.text, NAMED.resolution) == ("MAINT (resolution)", "its name is not resolved yet")
    assert not NAMED.is_probed
    assert not NAMED.standing(0.0).in_service
    lost = NAMED.placed(None, trouble="NXDOMAIN: x", now=1.0)
    assert (lost.resolution, lost.flipped_at) == ("NXDOMAIN: x", None)


def test_a_name_that_is_resolved_brings_place_weight_and_work() -> None:
    found = NAMED.placed(THERE, trouble="", now=1.0)
    assert (found.text, found.resolution, found.own_weight) == ("UP 1/3", "", 5)
    assert found.standing(1.0) == Standing(weight=5, place=THERE, age_s=0.0)
    assert found.weighed(7).standing(1.0).weight == 7
    lost = found.placed(None, trouble="NXDOMAIN: x", now=3.0)
    assert (lost.standing(3.0).in_service, lost.flip_reason, lost.flipped_at) == (False, "NXDOMAIN: x", 3.0)


def test_a_server_that_moves_is_one_failure_from_down() -> None:
    found = NAMED.placed(THERE, trouble="", now=1.0).probed(True, reason="", now=2.0)
    assert found.text == "UP"
    assert found.placed(THERE, trouble="timeout: x", now=3.0).text == "UP"
    moved = found.placed(ELSEWHERE, trouble="", now=3.0)
    assert (moved.text, moved.standing(3.0).place) == ("UP 1/3", ELSEWHERE)
    down = found.forced("down", by="me", now=3.0)
    assert down.placed(ELSEWHERE, trouble="", now=4.0).text == "DOWN"


def test_errors_say_nothing_of_a_server_that_is_nowhere() -> None:
    assert NAMED.erred("mark_down", reason="x", now=1.0) == NAMED
