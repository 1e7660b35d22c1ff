"""Which tables stand for a plan. That they do what they are for is tried in tests/netns/test_fence.py."""

from collections import Counter
from ipaddress import IPv4Address, IPv6Address

import pytest

from vrrp.linux import fencerules, nftables
from vrrp.linux.fencerules import FencePlan
from vrrp.linux.nftables import ARP, IPV4, IPV6, Table

V4, V6, LINK_LOCAL = IPv4Address("10.99.0.100"), IPv6Address("fd00::100"), IPv6Address("fe80::100%eth0")
ON_ETH0 = bytes.fromhex("fe800000000000000000000000000100") + b"eth0\0\0\0\0\0\0\0\0\0\0\0\0"
ON_MACVLAN = bytes.fromhex("fe800000000000000000000000000100") + b"vrrp.51\0\0\0\0\0\0\0\0\0"


def plan(*vips, **more):
    return FencePlan(frozenset(vips), **more)


def permanent(family):
    return Table(family, "hapair_fence")


@pytest.mark.parametrize(
    ("vips", "not_accepted", "rules"),
    [
        ([], [], {}),
        ([V4], [], {ARP: 3}),
        ([V6], [], {IPV6: 6}),
        ([LINK_LOCAL], [], {IPV6: 6}),
        ([V4, V6], [], {ARP: 3, IPV6: 6}),
        ([V4], [V4], {ARP: 3, IPV4: 2}),
        ([V6], [V6], {IPV6: 9}),
        ([V4], [V6], {ARP: 3, IPV6: 3}),
    ],
)
def test_only_what_is_needed_has_rules(vips, not_accepted, rules):
    some = plan(*vips, not_accepted=frozenset(not_accepted))
    assert fencerules.rules_in_permanent(some) == {permanent(family): number for family, number in rules.items()}


def test_what_another_run_left_is_replaced_in_every_family():
    requests = fencerules.install_permanent(plan(V4))
    kinds = [(request.table.family, request.kind) for request in requests]
    assert [kind for family, kind in kinds if family == IPV6] == [nftables.NEW_TABLE, nftables.DELETE_TABLE]
    assert [kind for family, kind in kinds if family == IPV4] == [nftables.NEW_TABLE, nftables.DELETE_TABLE]
    assert Counter(kind for family, kind in kinds if family == ARP) == {
        nftables.NEW_TABLE: 2,
        nftables.DELETE_TABLE: 1,
        nftables.NEW_SET: 2,
        nftables.NEW_ELEMENTS: 1,
        nftables.NEW_CHAIN: 1,
        nftables.NEW_RULE: 3,
    }


def test_addresses_are_in_a_set_before_a_rule_makes_it_constant():
    kinds = [request.kind for request in fencerules.install_permanent(plan(V4, V6, LINK_LOCAL))]
    for family_starts_at in (i for i, kind in enumerate(kinds) if kind == nftables.NEW_CHAIN):
        assert nftables.NEW_ELEMENTS in kinds[:family_starts_at]
    last_elements = max(i for i, kind in enumerate(kinds) if kind == nftables.NEW_ELEMENTS)
    assert kinds[last_elements + 1] == nftables.NEW_CHAIN


def test_a_vip_on_a_virtual_interface_is_never_a_name_to_ask_in():
    some = plan(V4, V6, IPv4Address("10.99.0.101"), only_from={V4: "vrrp4-51-2", V6: "vrrp6-51-2"})
    (wanted,) = nftables.add_elements(permanent(ARP), "nameless", [V4.packed])
    assert elements(fencerules.install_permanent(some)).count((permanent(ARP), wanted.attributes)) == 1
    assert fencerules.rules_in_permanent(some) == {permanent(ARP): 4, permanent(IPV6): 6}


def elements(requests):
    return [(request.table, request.attributes) for request in requests if request.kind == nftables.NEW_ELEMENTS]


@pytest.mark.parametrize(
    ("vip", "only_from", "family", "name", "key"),
    [
        (V4, {}, ARP, "open", bytes((10, 99, 0, 100))),
        (V6, {}, IPV6, "open", bytes.fromhex("fd000000000000000000000000000100")),
        (LINK_LOCAL, {}, IPV6, "open_on", ON_ETH0),
        (V4, {V4: "vrrp.51"}, ARP, "open_on", bytes((10, 99, 0, 100)) + b"vrrp.51\0\0\0\0\0\0\0\0\0"),
        (LINK_LOCAL, {LINK_LOCAL: "vrrp.51"}, IPV6, "open_on", ON_MACVLAN),
    ],
)
def test_where_a_vip_that_is_open_may_be_spoken_for(vip, only_from, family, name, key):
    requests = fencerules.change_open(plan(vip, only_from=only_from), 4711, [vip], nftables.add_elements)
    assert requests == nftables.add_elements(Table(family, "hapair_fence_open_4711"), name, [key])


def test_a_zone_on_a_virtual_interface_is_fenced_on_both():
    requests = fencerules.install_permanent(plan(LINK_LOCAL, only_from={LINK_LOCAL: "vrrp.51"}))
    (wanted,) = nftables.add_elements(permanent(IPV6), "vips_on", [ON_ETH0, ON_MACVLAN])
    assert elements(requests) == [(permanent(IPV6), wanted.attributes)]


def test_the_table_of_a_socket_is_made_open_for_what_was_open():
    requests = fencerules.install_owned(plan(V4, V6), 4711, [V4])
    (wanted,) = nftables.add_elements(Table(ARP, "hapair_fence_open_4711"), "open", [V4.packed])
    assert elements(requests) == [(wanted.table, wanted.attributes)]
    assert {request.table.family for request in requests} == {ARP, IPV6}


def test_everything_goes():
    kinds = Counter((request.table, request.kind) for request in fencerules.remove(4711))
    tables = [permanent(family) for family in (ARP, IPV6, IPV4)]
    tables += [Table(family, "hapair_fence_open_4711") for family in (ARP, IPV6)]
    assert kinds == {(table, kind): 1 for table in tables for kind in (nftables.NEW_TABLE, nftables.DELETE_TABLE)}


def test_another_plan_takes_the_place_of_one_in_one_batch():
    requests = fencerules.replan(plan(V4, V6), plan(V4), 4711, [V4])
    owned6 = Table(IPV6, "hapair_fence_open_4711")
    assert requests[:-2] == [*fencerules.install_permanent(plan(V4)), *fencerules.install_owned(plan(V4), 4711, [V4])]
    assert [(request.table, request.kind) for request in requests[-2:]] == [
        (owned6, nftables.NEW_TABLE),
        (owned6, nftables.DELETE_TABLE),
    ]
    assert fencerules.replan(plan(V4), plan(V4, V6), 4711, [])[-1].table == owned6
