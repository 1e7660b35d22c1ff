"""What holds for every name, whatever is answered and when."""

from hypothesis import given
from hypothesis import strategies as st

from balancer.config_discovery import Resolve
from balancer.fieldtypes import Endpoint
from balancer.resolution import Answer, Failure, Question, Resolution
from balancer.standing import Place

ADDRESSES = st.lists(st.integers(1, 9), max_size=12)
STEPS = st.lists(st.tuples(st.floats(0.0, 40.0), st.one_of(st.none(), ADDRESSES)), max_size=12)


@given(count=st.integers(1, 8), steps=STEPS, hold_s=st.floats(0.0, 60.0))
def test_addresses_are_shared_well(count: int, steps: list[tuple[float, list[int] | None]], hold_s: float) -> None:
    question = Question(Endpoint("app.internal", 80), Resolve(hold_s=hold_s))
    known = Resolution(question, tuple(f"s{n}" for n in range(count)))
    now = 0.0
    good_at = None
    for passed_s, numbers in steps:
        before, now = known, now + passed_s
        told = {Place(Endpoint(f"192.0.2.{n}", 80)) for n in numbers or ()}
        known = known.after(Failure("timeout") if numbers is None else Answer(tuple(told)), now)
        taken = list(known.places.values())
        assert len(set(taken)) == len(taken), "no address twice"
        assert now < known.due_at <= now + 10.0
        for server, place, trouble in known.told():
            assert place is not None or trouble, "who has no address says why"
            assert place == known.places.get(server)
        if told:
            good_at = now
            assert len(taken) == min(count, len(told)), "as many as there can be"
            for server, place in before.places.items():
                assert place not in told or known.places[server] == place, "what stays, stays where it is"
        elif good_at is not None and now < good_at + hold_s:
            assert known.places == before.places
        else:
            assert known.places == {}
