"""The rules of direct server return, to the letter."""

from dataclasses import replace
from pathlib import Path

from balancer.config import BalancerConfig, Frontend, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.kernel import ruleset_dsr
from balancer.kernel.ruleset import difference, whole
from balancer.kernel.services import Lane, Station, services
from balancer.standing import Standing

LANE = Lane("eth0", "02:00:00:00:00:11", ("02:00:00:00:00:11", "00:00:5e:00:01:33"))
A, B, SIX = "02:00:00:00:00:21", "02:00:00:00:00:22", "02:00:00:00:00:26"
STATION = Station({"192.0.2.100": LANE, "2001:db8::100": LANE}, {"192.0.2.21": A, "192.0.2.22": B, "2001:db8::21": SIX})
SERVERS = {
    "a": Server(address=Endpoint("192.0.2.21", 80)),
    "b": Server(address=Endpoint("192.0.2.22", 80)),
    "six": Server(address=Endpoint("2001:db8::21", 80)),
}
LISTEN = (Endpoint("192.0.2.100", 80), Endpoint("2001:db8::100", 80))
CONFIG = BalancerConfig(
    frontends={
        "web": Frontend(listen=LISTEN, mode="tcp", plane="kernel", forward="dsr", pool="web"),
        "log": Frontend(listen=LISTEN, mode="udp", plane="kernel", forward="dsr", pool="web"),
    },
    pools={"web": Pool(policy="random", servers=SERVERS)},
)
GOLDEN = Path(__file__).with_name("ruleset_dsr.nft").read_text()


def test_the_whole_of_it() -> None:
    assert "".join(f"{line}\n" for line in ruleset_dsr.table(services(CONFIG, {}, 3, station=STATION))) == GOLDEN
    assert list(ruleset_dsr.table([])) == []


def test_a_range_of_ports_is_sent_on_as_it_is_and_so_are_errors_that_quote_one_of_them() -> None:
    listen = (Endpoint("192.0.2.100", 5000, 100),)
    ranged = replace(CONFIG, frontends={"web": replace(CONFIG.frontends["web"], listen=listen)})
    rules = [line for line in ruleset_dsr.table(services(ranged, {}, 3, station=STATION)) if "ip daddr" in line]
    assert [("tcp dport 5000-5099 " in line, "@th,224,16 5000-5099 " in line) for line in rules] == [
        (True, False),
        (False, True),
    ]


def test_where_the_lan_is_not_known_there_is_no_service() -> None:
    assert services(CONFIG, {}, 3) == ()


def test_a_server_that_is_not_found_is_passed_over() -> None:
    found = services(CONFIG, {}, 3, station=STATION._replace(macs={"192.0.2.22": B}))
    assert [one.choice for one in found] == [("b",) * 3, (), ("b",) * 3, ()]


def test_a_flip_moves_places_and_cuts_nobody() -> None:
    before = services(CONFIG, {}, 3, station=STATION)
    after = services(CONFIG, {("web", "a"): Standing(up=False)}, 3, station=STATION)
    assert [one.cut for one in after] == [frozenset()] * 4
    changes = difference(before, after)
    assert changes is not None
    assert changes.splitlines()[1].startswith("add element netdev hapair f0_web_4_places { ")
    assert "goto f0_web_4_0_a_way" not in changes
    assert "goto f0_web_4_1_b_way" in changes


def test_another_mac_address_is_more_than_a_flip() -> None:
    before = services(CONFIG, {}, 3, station=STATION)
    moved = Station(STATION.lanes, {**STATION.macs, "192.0.2.21": "02:00:00:00:00:99"})
    assert difference(before, services(CONFIG, {}, 3, station=moved)) is None


def test_both_tables_are_replaced_at_once() -> None:
    text = whole(services(CONFIG, {}, 3, station=STATION))
    assert text.startswith(
        "add table inet hapair\ndelete table inet hapair\nadd table netdev hapair\ndelete table netdev hapair\n"
        "table netdev hapair {\n"
    )
    assert "add element netdev hapair f0_web_4_places { 0 : goto f0_web_4_" in text
