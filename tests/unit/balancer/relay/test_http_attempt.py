"""One try at one server: counted while it lasts, and its connection kept or closed at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from balancer.failures import ConnectFailed
from balancer.http1.errors import BadMessage, Reason
from balancer.relay.http_attempt import Attempt
from balancer.testing import run

if TYPE_CHECKING:
    from tests.unit.balancer.relay.conftest import HttpRig


def test_a_new_connection_is_kept_if_it_is_reusable(rig: HttpRig) -> None:
    pool = rig.service.pools["pool"]
    attempt = Attempt(pool, "one")
    assert attempt.stream is None
    assert not attempt.was_kept
    stream = run(rig.reactor, attempt.connect(rig.reactor))
    assert (rig.server_counts().open, rig.server_counts().connections) == (1, 1)
    attempt.reusable = True
    attempt.end()
    assert rig.server_counts().open == 0
    assert not stream.closed
    again = Attempt(pool, "one")
    assert again.stream is stream
    assert again.was_kept
    again.end()
    assert stream.closed


def test_a_fresh_attempt_leaves_kept_connections_alone(rig: HttpRig) -> None:
    pool = rig.service.pools["pool"]
    first = Attempt(pool, "one")
    run(rig.reactor, first.connect(rig.reactor))
    first.reusable = True
    first.end()
    fresh = Attempt(pool, "one", fresh=True)
    assert fresh.stream is None
    fresh.end()
    assert len(pool.kept["one"]) == 1


def test_a_connection_that_cannot_be_made(rig: HttpRig) -> None:
    rig.peers[0].close()
    attempt = Attempt(rig.service.pools["pool"], "one")
    with pytest.raises(ConnectFailed):
        run(rig.reactor, attempt.connect(rig.reactor))
    attempt.end()
    assert rig.server_counts().open == 0


def test_what_is_told_to_the_client_is_counted(rig: HttpRig) -> None:
    attempt = Attempt(rig.service.pools["pool"], "one")
    invalid = attempt.invalid(BadMessage(Reason.STATUS_LINE))
    assert (invalid.status, invalid.why) == (502, "the server sent an invalid response: malformed status line")
    assert attempt.unanswered().status == 502
    assert attempt.late().status == 504
    attempt.end()
    assert (rig.server_counts().bad_responses, rig.server_counts().timeouts) == (2, 1)
