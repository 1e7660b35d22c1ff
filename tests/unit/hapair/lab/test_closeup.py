"""The drawing of one fault from near."""

import xml.etree.ElementTree as ET

from hapair.lab.closeup import closeup, reach
from hapair.lab.demo import Result

STYLES = {"192.168.1.11": "node-a", "192.168.1.12": "node-b"}


def words(root: ET.Element) -> list[str | None]:
    return [element.text for element in root.iter() if element.tag == "text"]


def test_the_outage_is_drawn_with_its_length(good: Result) -> None:
    root = ET.fromstring(closeup(good, good.trials[0], 1, STYLES, after_s=0.6))
    assert "404 ms" in words(root)  # from 102.0 to 102.4 and the 4 ms of its answer
    assert "VIP on pi-b" in words(root)
    assert len([one for one in root.iter() if one.get("class") == "miss"]) == 4
    assert [one.get("class") for one in root.iter("circle")].count("dot node-b") == 2


def test_an_outage_without_end_reaches_to_the_edge(bad: Result) -> None:
    cut = [record for record in bad.records if record.sent_at < 102.4]
    endless = Result(bad.plan, bad.versions, 100.0, 110.0, bad.trials, cut, bad.holdings)
    assert "without end" in words(ET.fromstring(closeup(endless, bad.trials[1], 2, STYLES, after_s=0.6)))


def test_all_reach_as_far_as_the_longest_needs(good: Result, bad: Result) -> None:
    assert reach(good) == 0.6
    slow = Result(bad.plan, bad.versions, 100.0, 110.0, (), (), ())
    assert reach(slow) == 0.6
