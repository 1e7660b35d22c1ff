"""The drawing of the whole run."""

import xml.etree.ElementTree as ET

from hapair.lab.demo import Result
from hapair.lab.overview import overview

STYLES = {"pi-a": "node-a", "pi-b": "node-b", "192.168.1.11": "node-a", "192.168.1.12": "node-b"}


def drawn(result: Result) -> ET.Element:
    return ET.fromstring(overview(result, STYLES))


def with_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def test_every_fault_is_marked_and_labelled(good: Result) -> None:
    root = drawn(good)
    assert [mark.text for mark in with_class(root, "badge-number")] == ["1", "2", "3"]
    assert with_class(root, "fault-label")[0].text == "SIGKILL to every process, pi-a"
    assert with_class(root, "fault")[0].get("x1") == "264.0"  # 2 s of 10 s, from 62 to 1072


def test_a_vip_left_over_is_drawn_apart(good: Result) -> None:
    [bar] = with_class(drawn(good), "left-over")
    assert (bar.get("x"), bar.get("width")) == ("264.0", "121.2")
    assert bar.findtext("title") == "left over for 1.20 s"


def test_failed_probes_are_drawn(good: Result) -> None:
    assert len(with_class(drawn(good), "failed")) == 4


def test_latency_has_the_colour_of_the_node_that_answered(good: Result) -> None:
    assert [path.get("class") for path in with_class(drawn(good), "middle")] == ["middle node-a", "middle node-b"]


def test_a_run_without_a_single_request_can_be_drawn(good: Result) -> None:
    empty = Result(good.plan, good.versions, 100.0, 110.0, (), (), ())
    assert with_class(drawn(empty), "middle") == []
