"""Where what is in the shared slots."""

from balancer.slot_layout import Layout
from tests.unit.balancer.test_slots import CONFIG


def test_the_layout_follows_from_the_names_alone() -> None:
    layout = Layout.of(CONFIG, 2)
    assert layout.frontends == {"api": 1, "web": 2}
    assert layout.servers == {("a", "one"): 3, ("b", "one"): 4, ("b", "two"): 5}
    assert layout.queues == {("a", ""): 6, ("a", "one"): 7, ("b", ""): 8, ("b", "one"): 9, ("b", "two"): 10}
    assert layout.causes == {"api": 11, "web": 15}
    assert (layout.block, layout.size_bytes) == (760, 12_160)
