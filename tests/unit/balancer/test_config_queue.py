"""What a queue may be told."""

from __future__ import annotations

from typing import Any

import pytest

from balancer.config import QueueSettings


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"timeout_s": 0.0}, "timeout must be more than 0 and at most 24h"),
        ({"timeout_s": 86_401.0}, "timeout must be more than 0 and at most 24h"),
        ({"length": -1}, "length must be from 0 to 1000000"),
        ({"length": 1_000_001}, "length must be from 0 to 1000000"),
        ({"persistent_timeout_s": 6.0}, "persistent_timeout must be from 0 to timeout"),
        ({"persistent_timeout_s": -1.0}, "persistent_timeout must be from 0 to timeout"),
    ],
)
def test_what_makes_no_sense_is_refused(keys: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        QueueSettings(**keys)


def test_a_request_waits_for_its_own_server_for_half_of_the_time() -> None:
    assert QueueSettings().own_s == 2.5
    assert QueueSettings(timeout_s=8.0, persistent_timeout_s=0.0).own_s == 0.0
    assert QueueSettings(timeout_s=8.0, persistent_timeout_s=8.0).own_s == 8.0
