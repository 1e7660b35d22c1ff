"""Checks at a VIP, through the MAC address of the server: rules and marks."""

from dataclasses import replace

from balancer.config import BalancerConfig, Frontend, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.kernel import ruleset_dsr
from balancer.kernel.services import Lane, Service, Station, services
from balancer.kernel.vip_checks import Way, arriving, leaving, ways_to

OWN = ("192.0.2.11", "2001:db8::11", "fe80::11")
LANE = Lane("eth0", "02:00:00:00:00:11", ("02:00:00:00:00:11",), OWN)
A, B = "02:00:00:00:00:21", "02:00:00:00:00:22"
MACS = {"192.0.2.21": A, "192.0.2.22": B, "2001:db8::21": A}
SERVERS = {
    "a": Server(address=Endpoint("192.0.2.21", 80)),
    "b": Server(address=Endpoint("192.0.2.22", 81)),
    "six": Server(address=Endpoint("2001:db8::21", 80)),
}
LISTEN = (Endpoint("192.0.2.100", 80, 2), Endpoint("192.0.2.101", 80), Endpoint("2001:db8::100", 80))
WEB = Frontend(listen=LISTEN, mode="tcp", plane="kernel", forward="dsr", pool="web")
CONFIG = BalancerConfig(frontends={"web": WEB}, pools={"web": Pool(policy="random", servers=SERVERS)})


def found(macs: dict[str, str] = MACS, own: tuple[str, ...] = OWN) -> tuple[Service, ...]:
    lanes = {one.host: LANE._replace(own=own) for one in LISTEN}
    return services(CONFIG, {}, 3, station=Station(lanes, macs))


def test_a_server_is_checked_at_each_vip_that_sends_it_clients() -> None:
    assert ways_to(found(), "web", "a") == (
        Way("192.0.2.100", "tcp", 0x68617100, SERVERS["a"].address),
        Way("192.0.2.101", "tcp", 0x68617101, SERVERS["a"].address),
    )
    assert ways_to(found(), "web", "b") == (
        Way("192.0.2.100", "tcp", 0x68617100, SERVERS["b"].address),  # by its port
    )
    assert ways_to(found(), "web", "six") == (Way("2001:db8::100", "tcp", 0x68617102, SERVERS["six"].address),)
    assert ways_to(found(), "other", "a") == ()


def test_nothing_is_checked_so_that_rules_would_not_lead_there() -> None:
    assert ways_to(found(macs={"192.0.2.22": B}), "web", "a") == ()
    assert ways_to(found(own=()), "web", "a") == ()
    same = {**MACS, "192.0.2.22": A}  # whose answer would it be?
    assert [ways_to(found(macs=same), "web", name) for name in ("a", "b")] == [(), ()]
    assert len(ways_to(found(macs=same), "web", "six")) == 1


def test_the_mark_becomes_the_vip_and_the_vip_the_server_again() -> None:
    assert list(leaving(found(), "eth0")) == [
        "meta mark 0x68617100 ip daddr set 192.0.2.100",
        "meta mark 0x68617101 ip daddr set 192.0.2.101",
        "meta mark 0x68617102 ip6 daddr set 2001:db8::100",
    ]
    assert list(leaving(found(), "eth1")) == []
    assert list(arriving(found(), "eth0")) == [
        f"ether saddr {A} ip saddr 192.0.2.100 ip daddr {{ 192.0.2.11 }} ip saddr set 192.0.2.21",
        f"ether saddr {B} ip saddr 192.0.2.100 ip daddr {{ 192.0.2.11 }} ip saddr set 192.0.2.22",
        f"ether saddr {A} ip saddr 192.0.2.101 ip daddr {{ 192.0.2.11 }} ip saddr set 192.0.2.21",
        f"ether saddr {B} ip saddr 192.0.2.101 ip daddr {{ 192.0.2.11 }} ip saddr set 192.0.2.22",
        f"ether saddr {A} ip6 saddr 2001:db8::100 ip6 daddr {{ 2001:db8::11, fe80::11 }} ip6 saddr set 2001:db8::21",
    ]


def test_they_stand_in_the_table_also_for_servers_that_are_down() -> None:
    lines = list(ruleset_dsr.table([replace(one, choice=()) for one in found()]))
    at = lines.index("chain checking_0 {")
    assert lines[at + 1] == 'type filter hook egress device "eth0" priority 0'
    assert sum("saddr set" in line for line in lines) == 5
    assert not any("egress" in line for line in ruleset_dsr.table(found(own=())))
