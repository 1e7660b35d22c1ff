"""Messages of a handover: what is written is read again, and nothing else is."""

from ipaddress import ip_address

import pytest

from hapair.handover.messages import Ask, Done, Flow, Flows, Stations, Taken, pages, read, write
from hapair.wire import WireError

FLOW4 = Flow(ip_address("192.168.1.50"), 40000, ip_address("192.168.1.100"), 80)
FLOW6 = Flow(ip_address("fd00::50"), 40001, ip_address("fd00::100"), 443)


def test_an_ask_goes_both_ways() -> None:
    ask = Ask("07", "maintenance", ("lan", "wan"), Stations({"lan": "02:00:00:00:00:0a"}), 3, 5.0, 30.0)
    assert read(write(ask)) == ask


def test_a_page_of_flows_on_the_wire() -> None:
    page = Flows("07", bytes.fromhex("c0a801329c40c0a801640050"), b"", last=True)
    assert page.unpack() == (FLOW4,)
    assert read(write(page)) == page
    assert write(page) == (
        b'{"type":"Flows","body":{"id":"07","ipv4":"c0a801329c40c0a801640050","ipv6":"","last":true}}'
    )


def test_flows_of_both_families_share_pages() -> None:
    page = next(pages("07", [FLOW4, FLOW6]))
    assert page.unpack() == (FLOW4, FLOW6)


def test_no_flows_are_one_empty_page() -> None:
    assert list(pages("07", [])) == [Flows("07", b"", b"", last=True)]


@pytest.mark.parametrize("flow", [FLOW4, FLOW6])
def test_each_page_fits_into_a_frame_of_the_link(flow: Flow) -> None:
    made = list(pages("0123456789abcdef", [flow] * 1500))
    assert [(len(page.unpack()), page.last) for page in made] == [(700, False), (700, False), (100, True)]
    assert max(len(write(page)) for page in made) < 60_000


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"type":"Ask","body":{}}',
        b'{"type":"Reboot","body":{}}',
        b'{"type":"Done","body":{"id":7}}',
        b'{"type":"Done","body":{"id":"7","more":1}}',
        b'{"type":"Flows","body":{"id":"7","ipv4":"c0","ipv6":"","last":true}}',
        b'{"type":"Flows","body":{"id":"7","ipv4":"zz","ipv6":"","last":true}}',
        b'{"type":"Flows","body":{"id":"7","ipv4":"c0a801320000c0a801640050","ipv6":"","last":true}}',
        b'{"type":"Taken","body":{"id":"7","stations":{"macs":{"lan":"eth0; flush ruleset"}},"obstacle":null}}',
        b'{"type":"Taken","body":{"id":"7","stations":{"macs":{"lan":"02:00:00:00:00:0a\\n"}},"obstacle":null}}',
    ],
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(WireError):
        read(text)


@pytest.mark.parametrize(("take_s", "drain_s"), [(0.0, 30.0), (61.0, 30.0), (5.0, -1.0), (5.0, 1e9), (float("nan"), 1)])
def test_spans_that_make_no_sense_are_refused(take_s: float, drain_s: float) -> None:
    with pytest.raises(ValueError, match="no sensible span"):
        Ask("07", "", ("lan",), Stations({}), 0, take_s, drain_s)


def test_an_obstacle_is_told() -> None:
    taken = Taken("07", Stations({"lan": "02:00:00:00:00:0b"}), "there is no nft")
    assert read(write(taken)) == taken
    assert read(b'{"type":"Done","body":{"id":"07"}}') == Done("07")
