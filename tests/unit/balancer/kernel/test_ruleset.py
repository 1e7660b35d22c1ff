"""The rules, to the letter, and what a flip changes of them."""

from dataclasses import replace
from pathlib import Path

from balancer.config import BalancerConfig, ClientLimits
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

    to = "meta l4proto tcp dnat ip6 to"
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


def test_a_flip_changes_places_and_what_is_cut(config: BalancerConfig) -> None:
    before = services(config, {}, 4)
    after = services(config, {("web", "web1"): Standing(up=False)}, 4)
    assert difference(before, after) == (
        "delete element inet hapair f0_web_1_4_places { 0, 2 }\n"
        "add element inet hapair f0_web_1_4_places { 0 : 192.0.2.22 . 8080, 2 : 192.0.2.22 . 8080 }\n"
        "flush set inet hapair f0_web_1_4_cut\n"
        "add element inet hapair f0_web_1_4_cut { 192.0.2.21 . 8080 }\n"
    )
    assert difference(after, before) == (
        "delete element inet hapair f0_web_1_4_places { 0, 2 }\n"
        "add element inet hapair f0_web_1_4_places { 0 : 192.0.2.21 . 8080, 2 : 192.0.2.21 . 8080 }\n"
        "flush set inet hapair f0_web_1_4_cut\n"
    )
    assert difference(before, before) == ""


def test_more_than_a_flip_is_no_difference(config: BalancerConfig) -> None:
    before = services(config, {}, 4)
    assert difference(before, before[:1]) is None
    assert difference(before, services(config, {("dns", "a"): Standing(up=False)}, 4)) is None


def test_the_removal_is_no_error_where_nothing_is() -> None:
    both = ("inet", "netdev")
    assert removal() == "".join(f"add table {one} hapair\ndelete table {one} hapair\n" for one in both)
