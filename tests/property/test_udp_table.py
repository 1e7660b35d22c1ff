"""Flows under any order of datagrams, replies, ends and shortages: what a plain list of them would say."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from balancer.relay.udp_table import Flow, FlowTable

MOST = 4
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 7)),
        st.tuples(st.just("answer"), st.integers(0, 7)),
        st.tuples(st.just("end"), st.integers(0, 7)),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, 1, 3]))
def test_flows(steps: list[tuple[str, int]], replies: int | None, requests: int | None) -> None:
    table, home = FlowTable[Flow](replies=replies, requests=requests), dict[Any, Flow]()
    heard_us: set[Flow] = set()
    answered: dict[Flow, int] = {}
    for now, (step, number) in enumerate(steps):
        before = set(table.open)
        if step == "ask":
            flow = home.get(number)
            if flow is None:
                if len(table.open) == MOST:
                    victim = table.victim()
                    assert victim is None or victim not in heard_us
                    assert victim is not None or before == heard_us
                    if victim is None:
                        continue
                    assert table.remove(victim)
                flow = Flow(home, number, float(now))
                table.add(flow)
            if answered.get(flow):
                heard_us.add(flow)
            table.asked(flow, float(now))
            assert (home.get(number) is flow) == (flow.asked != requests)
            if table.is_over(flow):
                table.remove(flow)
        elif step == "answer" and table.open:
            flow = sorted(table.open, key=lambda one: (one.filed, one.key))[number % len(table.open)]
            answered[flow] = answered.get(flow, 0) + 1
            over = table.answered(flow)
            assert over == (replies is not None and answered[flow] >= replies * flow.asked)
            if over:
                assert table.remove(flow)
        elif step == "end" and (ending := home.get(number)) is not None:
            assert table.remove(ending)
        assert len(table.open) <= MOST
        assert set(home.values()) <= table.open
        assert all(one.bound and one.key == key for key, one in home.items())
        assert {one for one in table.open if one.bound} == set(home.values())
        assert {one for one in table.open if one.proven} == heard_us & table.open
