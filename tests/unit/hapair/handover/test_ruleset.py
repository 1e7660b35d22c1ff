"""The text of each table, line by line."""

from ipaddress import ip_address

from hapair.handover.messages import Flow
from hapair.handover.ruleset import Lane, giver_rules, removal, taker_rules

LANE = Lane(
    "eth0",
    "02:00:00:00:00:0b",
    "02:00:00:00:00:0a",
    (ip_address("10.0.0.1"), ip_address("fd00::1")),
    ("02:00:00:00:00:0b", "00:00:5e:00:01:33"),
    ip_address("10.0.0.11"),
)
REMOVAL = """\
add table netdev hapair_handover
delete table netdev hapair_handover
add table inet hapair_handover
delete table inet hapair_handover
add table arp hapair_handover
delete table arp hapair_handover
"""
KEY4 = "ip saddr . tcp sport . ip daddr . tcp dport"
KEY6 = "ip6 saddr . tcp sport . ip6 daddr . tcp dport"
ON = (
    "ether daddr { 02:00:00:00:00:0b, 00:00:5e:00:01:33 } "
    'ether saddr set 02:00:00:00:00:0b ether daddr set 02:00:00:00:00:0a fwd to "eth0"'
)


def test_removal_works_whether_the_tables_are_there_or_not() -> None:
    assert removal() == REMOVAL


def test_the_taker_forwards_listed_flows_and_lets_them_begin_anew() -> None:
    flow4 = Flow(ip_address("10.0.0.50"), 40000, ip_address("10.0.0.1"), 80)
    flow6 = Flow(ip_address("fd00::50"), 40001, ip_address("fd00::1"), 80)
    new = "tcp flags & (syn | ack) == syn"
    assert taker_rules([LANE], [flow4, flow6, flow4], shielded=False) == (
        f"""\
{REMOVAL}table netdev hapair_handover {{
set flows4 {{
typeof {KEY4}
size 1048576
flags dynamic
elements = {{ 10.0.0.50 . 40000 . 10.0.0.1 . 80 }}
}}
set flows6 {{
typeof {KEY6}
size 1048576
flags dynamic
elements = {{ fd00::50 . 40001 . fd00::1 . 80 }}
}}
chain to_giver_0 {{
type filter hook ingress device "eth0" priority -600
{new} {KEY4} @flows4 delete @flows4 {{ {KEY4} }} accept
{KEY4} @flows4 {ON}
{new} {KEY6} @flows6 delete @flows6 {{ {KEY6} }} accept
{KEY6} @flows6 {ON}
}}
}}
"""
    )


def test_the_shield_holds_back_answers_to_unknown_flows_only() -> None:
    text = taker_rules([LANE], [], shielded=True)
    assert text.endswith(
        """\
table inet hapair_handover {
chain shield {
type filter hook output priority -600
ip saddr { 10.0.0.1 } tcp flags & (rst | ack) == rst drop
ip6 saddr { fd00::1 } tcp flags & (rst | ack) == rst drop
}
}
"""
    )
    assert "elements" not in text


def test_the_giver_sends_new_connections_on_and_is_quiet_about_the_vip() -> None:
    assert giver_rules([LANE]) == (
        f"""\
{REMOVAL}table netdev hapair_handover {{
chain to_taker_0 {{
type filter hook ingress device "eth0" priority -600
ip daddr {{ 10.0.0.1 }} tcp flags & (syn | ack) == syn {ON}
ip6 daddr {{ fd00::1 }} tcp flags & (syn | ack) == syn {ON}
}}
}}
table arp hapair_handover {{
chain quiet {{
type filter hook output priority -600
oifname "eth0" arp saddr ip {{ 10.0.0.1 }} arp operation request arp saddr ip set 10.0.0.11 accept
oifname "eth0" arp saddr ip {{ 10.0.0.1 }} drop
}}
}}
"""
    )


def test_without_an_own_address_nothing_is_asked_in_a_vips_name() -> None:
    lane = Lane("eth0", LANE.own_mac, LANE.other_mac, (ip_address("10.0.0.1"),), LANE.reached_by)
    lines = [line for line in giver_rules([lane]).splitlines() if line.startswith("oifname")]
    assert lines == ['oifname "eth0" arp saddr ip { 10.0.0.1 } drop']


def test_two_interfaces_have_a_chain_each() -> None:
    other = Lane("eth1", "02:00:00:00:01:0b", "02:00:00:00:01:0a", (ip_address("10.1.0.1"),), ("02:00:00:00:01:0b",))
    text = taker_rules([LANE, other], [], shielded=False)
    assert 'hook ingress device "eth0"' in text
    assert 'chain to_giver_1 {\ntype filter hook ingress device "eth1" priority -600' in text
