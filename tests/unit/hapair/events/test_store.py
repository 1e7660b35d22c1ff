"""What is kept of events, and for how long."""

import tracemalloc

from hapair.events.event import Happening, event_of
from hapair.events.store import EventStore
from tests.unit.hapair.events.samples import event


def ids(store: EventStore, after: int = 0) -> list[int]:
    return [one.id for one in store.after(after)]


def test_events_of_all_kinds_in_their_order() -> None:
    store = EventStore()
    for id, kind in enumerate(("server", "router", "server", "link"), start=1):
        store.put(event(id, kind), now=float(id))
    assert ids(store) == [1, 2, 3, 4]
    assert ids(store, after=2) == [3, 4]
    assert ids(store, after=4) == []
    assert len(store) == 4


def test_a_server_that_flips_for_ever_does_not_push_out_another_kind() -> None:
    store = EventStore(per_kind=3)
    store.put(event(1, "role"), now=1.0)
    for id in range(2, 100):
        store.put(event(id, "server"), now=1.0)
    assert ids(store) == [1, 97, 98, 99]


def test_what_is_too_old_is_forgotten() -> None:
    store = EventStore(age_s=10.0)
    store.put(event(1, "role"), now=100.0)
    store.put(event(2, "server"), now=105.0)
    store.expire(109.9)
    assert ids(store) == [1, 2]
    store.expire(110.0)
    assert ids(store) == [2]
    store.put(event(3, "link"), now=115.0)
    assert ids(store) == [3]


def test_twenty_four_hours_of_storms_take_a_bounded_memory() -> None:
    """An event every six seconds, of long text: no more is kept after a day than after six."""
    store, per_hour, taken = EventStore(), 600, []
    kinds = ("server", "router", "vip", "link", "peer", "process", "adverts", "priority", "role", "pool")
    long_text = "the reason that a broken server gives is as long as it likes " * 20
    id = 0
    tracemalloc.start()
    try:
        for hour in range(24):
            for n in range(per_hour):
                id += 1
                now = hour * 3600.0 + n * 3600.0 / per_hour
                happening = Happening(
                    kind=kinds[id % 10],  # type: ignore[arg-type]
                    subject=f"web/web{id % 200}",
                    words=f"flip {id} {long_text}",
                    reason=f"{id} {long_text}",
                    details={"text": f"{id} {long_text}"},
                )
                store.put(event_of(happening, id=id, at=1e9 + now, node="pi-a"), now)
            taken.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert id == 14_400
    assert len(store) == 3000
    assert ids(store)[-1] == 14_400
    assert max(taken) < 6_000_000
    assert taken[-1] - taken[5] < 200_000
