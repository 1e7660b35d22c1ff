"""The rules, to the letter, and what a flip changes of them."""

from dataclasses import replace
from pathlib import Path

from balancer.config import BalancerConfig, ClientLimits
from balancer.fieldtypes import Endpoint
from balancer.kernel.ruleset import difference, removal, whole
from balancer.kernel.services import services
from balancer.standing import Standing

GOLDEN = Path(__file__).with_name("ruleset.nft").read_text()


def test_the_whole_of_it(config: BalancerConfig) -> None:
    found = services(config, {("web", "web1"): Standing(up=False), ("web", "six1"): Standing(up=False)}, 3)
    assert whole(found) == GOLDEN


def test_policies_choose_a_place_each_in_its_way(config: BalancerConfig) -> None:
    def rule(policy: str) -> str:
        pool = replace(config.pools["web"], policy=policy)  # type: ignore[arg-type]
        text = whole(services(replace(config, pools={**config.pools, "web": pool}), {}, 3))
        return next(line for line in text.splitlines() if "@f0_web_1_6_places" in line)

    to = "meta l4proto tcp ct event set protoinfo,destroy dnat ip6 to"
    assert rule("round_robin") == f"{to} numgen inc mod 3 map @f0_web_1_6_places"
    assert rule("random") == f"{to} jhash ip6 saddr . tcp sport mod 3 seed 0x68617061 map @f0_web_1_6_places"
    assert rule("source_hash") == f"{to} jhash ip6 saddr mod 3 seed 0x68617061 map @f0_web_1_6_places"


def test_limits_of_ipv6_clients_are_those_of_their_network(config: BalancerConfig) -> None:
    limits = ClientLimits(deny=("2001:db8:1::/48",), connections=7, connection_rate=3.0, connection_burst=9)
    frontend = replace(config.frontends["web.1"], limits=limits)
    text = whole(services(replace(config, frontends={"web": frontend}), {}, 3))
    refuse = "counter name f0_web_6_refused drop"
    client = "ip6 saddr & ffff:ffff:ffff:ffff:0:0:0:0"
    assert [line for line in text.splitlines() if line.endswith(refuse)] == [
        f"ip6 saddr @f0_web_6_deny {refuse}",
        f"update @f0_web_6_rate {{ {client} limit rate over 3/second burst 9 packets }} {refuse}",
        f"add @f0_web_6_open {{ {client} ct count over 7 }} {refuse}",
    ]
    assert "elements = { 2001:db8:1::/48 }" in text
    slow = replace(frontend, limits=ClientLimits(connection_rate=0.001))
    assert "limit rate over 4/hour" in whole(services(replace(config, frontends={"web": slow}), {}, 3))


def with_ranges(config: BalancerConfig, *listen: str, limits: ClientLimits | None = None) -> BalancerConfig:
    endpoints = tuple(Endpoint.parse_ports(text) for text in listen)
    frontend = replace(config.frontends["web.1"], listen=endpoints, limits=limits or ClientLimits())
    return replace(config, frontends={"web": frontend})


def test_a_range_of_ports_leads_to_the_servers_own_at_the_same_place(config: BalancerConfig) -> None:
    text = whole(services(with_ranges(config, "192.0.2.100:5000-5002", "192.0.2.100:8080-8083"), {}, 3))
    moved, kept = (line for line in text.splitlines() if "dnat ip to" in line)
    place = "meta l4proto tcp ct event set protoinfo,destroy dnat ip to numgen inc mod 3 map"
    assert moved == f"{place} @f0_web_4_5000_places : tcp dport map {{ 5000 : 8080, 5001 : 8081, 5002 : 8082 }}"
    assert kept == f"{place} @f0_web_4_8080_places"
    for line in (
        "typeof numgen inc mod 3 : ip daddr",
        "ip daddr 192.0.2.100 tcp dport 5000-5002 tcp flags & (fin | syn | rst | ack) != syn ct state invalid,new drop",
        "meta l4proto tcp ct original ip daddr 192.0.2.100 ct original proto-dst 5000-5002 goto f0_web_4_5000_passing",
        "add element inet hapair f0_web_4_5000_places { 0 : 192.0.2.21, 1 : 192.0.2.22, 2 : 192.0.2.21 }",
    ):
        assert line in text.splitlines()
    ways = "192.0.2.100 . tcp . 5000-5002 : goto f0_web_4_5000, 192.0.2.100 . tcp . 8080-8083 : goto f0_web_4_8080"
    assert text.count(ways) == 2


def test_a_server_that_is_cut_is_so_on_all_its_ports(config: BalancerConfig) -> None:
    ranged = with_ranges(config, "192.0.2.100:5000-5002")
    before, after = services(ranged, {}, 2), services(ranged, {("web", "web2"): Standing(up=False)}, 2)
    assert difference(before, after) == (
        "delete element inet hapair f0_web_4_5000_places { 1 }\n"
        "add element inet hapair f0_web_4_5000_places { 1 : 192.0.2.21 }\n"
        "flush set inet hapair f0_web_4_5000_cut\n"
        "add element inet hapair f0_web_4_5000_cut { 192.0.2.22 . 8080-8082 }\n"
        "delete element inet hapair f0_web_4_5000_ways { original, reply }\n"
        "add element inet hapair f0_web_4_5000_ways "
        "{ original : goto f0_web_4_5000_there_cut, reply : goto f0_web_4_5000_back_cut }\n"
    )


def test_with_syn_proxy_this_machine_shakes_hands_first(config: BalancerConfig) -> None:
    guarded = replace(config.frontends["web.1"], syn_proxy=True, listen=config.frontends["web.1"].listen[1:])
    text = whole(services(replace(config, frontends={"web": guarded}), {}, 3))
    begins = "tcp flags & (fin | syn | rst | ack)"
    four, six = "ip daddr 192.0.2.100 tcp dport 81", "ip6 daddr 2001:db8::100 tcp dport 80"
    for line in (
        f"{four} fib daddr type local {begins} == syn notrack",
        f"{six} fib daddr type local {begins} == syn notrack",
        f"{four} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm",
        f"{six} ct state invalid,untracked synproxy mss 1440 wscale 7 timestamp sack-perm",
        f"{four} ct state invalid drop",
    ):
        assert line in text.splitlines()
    assert f"{four} {begins} != syn" not in text  # the answer to a cookie begins in the middle
    assert "meta l4proto tcp ct event set destroy dnat ip6 to" in text  # the other node could not take it over
    assert "protoinfo" not in text
    without = services(replace(config, frontends={"web": replace(guarded, syn_proxy=False)}), {}, 3)
    assert "synproxy" not in whole(without)
    assert difference(without, services(replace(config, frontends={"web": guarded}), {}, 3)) is None


def test_what_a_client_may_have_it_may_have_of_all_ports_together(config: BalancerConfig) -> None:
    limits = ClientLimits(connections=7)
    text = whole(services(with_ranges(config, "192.0.2.100:80", "192.0.2.100:5000-5002", limits=limits), {}, 3))
    assert text.count("set f0_web_4_open {") == text.count("counter f0_web_4_refused {") == 1
    assert text.count("add @f0_web_4_open { ip saddr ct count over 7 }") == 2


def test_a_flip_changes_places_and_what_is_cut(config: BalancerConfig) -> None:
    before = services(config, {}, 4)
    after = services(config, {("web", "web1"): Standing(up=False)}, 4)
    assert difference(before, after) == (
        "delete element inet hapair f0_web_1_4_places { 0, 2 }\n"
        "add element inet hapair f0_web_1_4_places { 0 : 192.0.2.22 . 8080, 2 : 192.0.2.22 . 8080 }\n"
        "flush set inet hapair f0_web_1_4_cut\n"
        "add element inet hapair f0_web_1_4_cut { 192.0.2.21 . 8080 }\n"
        "delete element inet hapair f0_web_1_4_ways { original, reply }\n"
        "add element inet hapair f0_web_1_4_ways "
        "{ original : goto f0_web_1_4_there_cut, reply : goto f0_web_1_4_back_cut }\n"
    )
    assert difference(after, before) == (
        "delete element inet hapair f0_web_1_4_places { 0, 2 }\n"
        "add element inet hapair f0_web_1_4_places { 0 : 192.0.2.21 . 8080, 2 : 192.0.2.21 . 8080 }\n"
        "flush set inet hapair f0_web_1_4_cut\n"
        "delete element inet hapair f0_web_1_4_ways { original, reply }\n"
        "add element inet hapair f0_web_1_4_ways { original : goto f0_web_1_4_there, reply : goto f0_web_1_4_back }\n"
    )
    assert difference(before, before) == ""


def test_more_than_a_flip_is_no_difference(config: BalancerConfig) -> None:
    before = services(config, {}, 4)
    assert difference(before, before[:1]) is None
    assert difference(before, services(config, {("dns", "a"): Standing(up=False)}, 4)) is None


def test_a_frontend_without_a_server_refuses_whoever_listens_on_this_machine(config: BalancerConfig) -> None:
    assert "nobody" not in whole(services(config, {}, 3))
    down = {("web", name): Standing(up=False) for name in ("web1", "web2", "six1")} | {("dns", "a"): Standing(up=False)}
    text = whole(services(config, down, 3))
    assert text[text.index("chain nobody") :].partition("}")[0].splitlines() == [
        "chain nobody {",
        "type filter hook input priority -20",
        "ip daddr 192.0.2.100 tcp dport 80 reject with tcp reset",
        "ip daddr 192.0.2.100 tcp dport 81 reject with tcp reset",
        "ip6 daddr 2001:db8::100 tcp dport 80 reject with tcp reset",
        "ip daddr 192.0.2.100 udp dport 53 reject",
    ]
    guarded = replace(config.frontends["web.1"], syn_proxy=True)
    assert "synproxy" not in whole(services(replace(config, frontends={"web": guarded}), down, 3))


def test_the_removal_is_no_error_where_nothing_is() -> None:
    both = ("inet", "netdev")
    assert removal() == "".join(f"add table {one} hapair\ndelete table {one} hapair\n" for one in both)
