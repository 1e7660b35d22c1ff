"""Rules between virtual routers, and between them and the pair."""

import pytest

from hapair.config import ConfigError, load_text

PAIR = """\
pair:
  nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}
  secret_file: pair.key
virtual_routers:
"""
LAN = "  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24], priority: {pi-a: 200, pi-b: 100}}\n"
SIX = (
    '  six: {vrid: 51, interface: eth0, addresses: ["fe80::200:5eff:fe00:233/64", "2001:db8::100/64"], '
    "priority: {pi-a: 200, pi-b: 100}}\n"
)
LINK_LOCAL_ONLY = (
    '  {name}: {{vrid: {vrid}, interface: {interface}, addresses: ["fe80::1:1/64"], priority: {priority}}}\n'
)


def with_key(router: str, key: str) -> str:
    return router.replace("vrid:", f"{key}, vrid:")


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return [f"{problem.where}: {problem.message}" for problem in caught.value.problems]


def warned(text: str) -> list[str]:
    return list(load_text(text).warnings)


def test_a_pair_with_both_families() -> None:
    assert warned(PAIR + with_key(LAN, "group: site") + with_key(SIX, "group: site")) == []


def test_each_family_counts_its_vrids_apart() -> None:
    other = SIX.replace("six:", "other:").replace(":233/64", ":234/64").replace("::100", "::101")
    assert said(PAIR + LAN + SIX + other) == ["virtual_routers.other.vrid: vrid 51 is already used by six on eth0"]


def test_a_vip_is_listed_once_among_excluded_addresses_too() -> None:
    other = with_key(LAN, "excluded_addresses: [192.0.2.100/32]").replace("[192.0.2.100/24]", "[192.0.2.9/24]")
    assert said(PAIR + LAN + other.replace("lan:", "two:").replace("vrid: 51", "vrid: 52")) == [
        "virtual_routers.two.excluded_addresses[0]: 192.0.2.100 already belongs to lan"
    ]


def link_local(name: str, vrid: int, interface: str) -> str:
    return LINK_LOCAL_ONLY.format(name=name, vrid=vrid, interface=interface, priority="{pi-a: 2, pi-b: 1}")


def test_a_link_local_address_belongs_to_its_interface() -> None:
    assert warned(PAIR + link_local("one", 1, "eth0") + link_local("two", 1, "eth1")) == []
    assert said(PAIR + link_local("one", 1, "eth0") + link_local("two", 2, "eth0")) == [
        "virtual_routers.two.addresses[0]: fe80::1:1 already belongs to one"
    ]


def test_unicast_needs_addresses_of_the_routers_family() -> None:
    assert warned(PAIR + with_key(LAN, "peers: unicast")) == []
    assert said(PAIR + with_key(SIX, "peers: unicast")) == [
        "virtual_routers.six.peers: unicast needs IPv6 node addresses for IPv6 VIPs; pi-a has 192.0.2.11",
        "virtual_routers.six.peers: unicast needs IPv6 node addresses for IPv6 VIPs; pi-b has 192.0.2.12",
    ]


def test_unicast_needs_another_node() -> None:
    pair = PAIR.replace(", pi-b: 192.0.2.12", "")
    router = LAN.replace("{pi-a: 200, pi-b: 100}", "100")
    assert said(pair + with_key(router, "peers: unicast")) == [
        "virtual_routers.lan.peers: unicast needs another node in pair.nodes to speak to"
    ]


@pytest.mark.parametrize("value", ["true", "permissive"])
def test_to_authenticate_needs_a_secret(value: str) -> None:
    pair = PAIR.replace("  secret_file: pair.key\n", "")
    assert said(pair + with_key(LAN, f"authenticate: {value}")) == [
        "virtual_routers.lan.authenticate: needs pair.secret_file; `hapair init` makes the file"
    ]
    assert warned(PAIR + with_key(LAN, f"authenticate: {value}")) == []


def test_the_nodes_of_a_pair_with_a_secret_speak_one_family() -> None:
    pair = PAIR.replace("pi-b: 192.0.2.12", 'pi-b: "2001:db8::12"')
    assert said(pair + LAN) == ["pair.nodes: must be all IPv4 or all IPv6, for the nodes speak to each other by them"]


def test_members_of_a_group_prefer_the_same_node() -> None:
    other = with_key(SIX, "group: site").replace("{pi-a: 200, pi-b: 100}", "{pi-a: 100, pi-b: 200}")
    assert said(PAIR + with_key(LAN, "group: site") + other) == [
        "virtual_routers.six.group: six and lan of group site must have their highest priority on the same node"
    ]


def test_a_witness_is_another_machine() -> None:
    pair = PAIR.replace("  secret_file", "  witness: [192.0.2.100, 192.0.2.12, 192.0.2.1]\n  secret_file")
    assert said(pair + LAN) == [
        "pair.witness: 192.0.2.100 is a virtual address of lan: a witness must be another machine",
        "pair.witness: 192.0.2.12 is the address of node pi-b: a witness must be another machine",
    ]


NO_SECRET = (
    "pair.secret_file is not given: adverts are not authenticated, and the death of a node is noticed by its silence "
    "alone, later than need be; `hapair init` makes the file"
)


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (PAIR.replace("  secret_file: pair.key\n", "") + LAN, [NO_SECRET]),
        (PAIR + with_key(LAN, "group: site"), ["virtual_routers.lan: no other virtual router is in group site"]),
        (PAIR.replace("  secret", "  witness: gateway\n  secret") + LAN + SIX, []),
        (PAIR.replace("  secret", "  witness: [192.0.2.1]\n  secret") + LAN + link_local("six", 1, "eth1"),
         ["virtual_routers.six: no witness is on its network; it does without"]),
        (PAIR + with_key(LAN, "track: {pools: [web]}") + 'pools: {web: {servers: {a: "192.0.2.21:80"}}}\n',
         ["virtual_routers.lan.track.pools.web: the pool has no check, so its servers are always UP",
          "pools.web: no frontend uses it"]),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_a_warning(text: str, warnings: list[str]) -> None:
    assert warned(text) == warnings


def test_a_frontend_may_listen_on_an_excluded_address() -> None:
    text = PAIR + with_key(LAN, 'excluded_addresses: ["2001:db8::7/64"]')
    text += 'frontends: {web: {listen: ["[2001:db8::7]:80"], pool: web}}\n'
    text += 'pools: {web: {servers: {a: "192.0.2.21:80"}}}\n'
    assert warned(text) == []


def test_the_owner_of_an_address_that_is_not_its_own() -> None:
    assert warned(PAIR + LAN.replace("pi-a: 200", "pi-a: 255")) == [
        "virtual_routers.lan: priority 255 says that the VIPs are pi-a's own, permanent addresses, which have no lease "
        "and no fence; the highest for VIPs that move is 254"
    ]
    assert warned(PAIR + LAN.replace("pi-a: 200", "pi-a: 255").replace("2.100/24", "2.11/24")) == []
