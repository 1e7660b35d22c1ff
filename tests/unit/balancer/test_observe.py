from collections.abc import Iterator
from typing import Any

import pytest

from balancer.fieldtypes import Endpoint
from balancer.observe import ObservedCounters, Streak
from balancer.slots import BAD_RESPONSES, CONNECTIONS, FAILED, OPEN, TIMEOUTS, Slots
from balancer.testing import config_for


class Told(list[str]):
    pass


@pytest.fixture
def slots() -> Iterator[Slots]:
    slots = Slots.create(config_for({"one": Endpoint("192.0.2.1", 80)}), 1)
    yield slots
    slots.close()


def observed(slots: Slots, layer: Any, limit: int = 3) -> tuple[ObservedCounters, Told]:
    told = Told()
    counters = slots.server(0, "pool", "one", kind=ObservedCounters)
    counters.observe(layer, Streak(limit, told.append))
    return counters, told


def test_connections_that_fail_in_a_row(slots: Slots) -> None:
    counters, told = observed(slots, "layer4")
    for slot in (FAILED, FAILED, CONNECTIONS, FAILED, OPEN, FAILED):
        counters.add(slot)
    assert told == []

    counters.add(FAILED)
    assert told == ["3 errors in a row, the last: connection failed"]
    counters.add(FAILED)
    assert len(told) == 1
    assert counters.get(FAILED) == 6


def test_layer_4_does_not_look_at_responses(slots: Slots) -> None:
    counters, told = observed(slots, "layer4", limit=1)
    counters.add_exchange(503, 1, 1, [])
    counters.add(TIMEOUTS)
    counters.add(BAD_RESPONSES)
    assert told == []


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_responses_that_are_errors(slots: Slots, status: int) -> None:
    counters, told = observed(slots, "layer7", limit=1)
    counters.add_exchange(status, 1, 1, [])
    assert told == [f"1 error in a row, the last: HTTP {status}"]


@pytest.mark.parametrize("status", [200, 301, 404, 499, 501, 505])
def test_only_a_good_response_ends_a_row_of_layer_7(slots: Slots, status: int) -> None:
    counters, told = observed(slots, "layer7")
    counters.add(TIMEOUTS)
    counters.add(BAD_RESPONSES)
    counters.add(CONNECTIONS)
    counters.add_exchange(status, 1, 1, [])
    counters.add(FAILED)
    counters.add(FAILED)
    assert told == []
    counters.add(TIMEOUTS)
    assert told == ["3 errors in a row, the last: no response in time"]


def test_they_count_as_others_do(slots: Slots) -> None:
    counters, _ = observed(slots, "layer7")
    unsettled: list[Any] = []
    counters.add_exchange(200, 10, 20, unsettled)
    counters.settle()
    counts = slots.server_counts("pool", "one")
    assert (counts.requests, counts.status_2xx, counts.bytes_in, counts.bytes_out) == (1, 1, 10, 20)
