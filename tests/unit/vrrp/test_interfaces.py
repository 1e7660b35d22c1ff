"""What follows from an interface for its virtual routers."""

from ipaddress import IPv4Address, IPv4Interface, ip_address, ip_interface

import pytest

from vrrp.interfaces import (
    HeldAddress,
    Interface,
    lacking,
    not_permanent,
    primary_address,
    removed,
    to_put_on,
)

VIPS = (IPv4Address("192.0.2.10"), IPv4Address("192.0.2.11"))


def held(text, **flags):
    return HeldAddress(ip_interface(text), **flags)


def eth0(*addresses, index=2, up=True):
    return Interface(name="eth0", index=index, up=up, addresses=addresses)


@pytest.mark.parametrize(
    ("addresses", "primary"),
    [
        pytest.param((), None, id="none"),
        pytest.param((held("192.0.2.1/24"), held("192.0.2.2/24", secondary=True)), "192.0.2.1", id="the first"),
        pytest.param((held("192.0.2.10/24", ours=True), held("192.0.2.1/24")), "192.0.2.1", id="not one of ours"),
        pytest.param((held("192.0.2.10/24"), held("192.0.2.1/24")), "192.0.2.1", id="not a VIP of somebody else's"),
        pytest.param((held("192.0.2.10/24"),), "192.0.2.10", id="an owner's own"),
        pytest.param((held("192.0.2.10/32", ours=True),), None, id="a VIP alone is no address to send from"),
    ],
)
def test_rule_1_primary_address(addresses, primary):
    expected = None if primary is None else IPv4Address(primary)
    assert primary_address(eth0(held("fe80::1/64"), *addresses), VIPS, 4) == expected


VIPS6 = (ip_address("fe80::10"), ip_address("2001:db8::10"))


@pytest.mark.parametrize(
    ("addresses", "primary"),
    [
        pytest.param((held("192.0.2.1/24"), held("2001:db8::1/64")), None, id="none that is link-local"),
        pytest.param((held("2001:db8::1/64"), held("fe80::1/64"), held("fe80::2/64")), "fe80::1", id="the first"),
        pytest.param((held("fe80::10/64", ours=True), held("fe80::1/64")), "fe80::1", id="not one of ours"),
        pytest.param((held("fe80::10/64"), held("fe80::1/64")), "fe80::1", id="not a VIP of somebody else's"),
        pytest.param((held("fe80::10/64"),), "fe80::10", id="an owner's own"),
        pytest.param((held("fe80::1/64", tentative=True),), None, id="nothing is sent from a tentative one"),
        pytest.param((held("fe80::1/64", dadfailed=True), held("fe80::2/64")), "fe80::2", id="nor from a duplicate"),
    ],
)
def test_rule_1_ipv6_is_sent_from_a_link_local_address(addresses, primary):
    expected = None if primary is None else ip_address(primary)
    assert primary_address(eth0(*addresses), VIPS6, 6) == expected


@pytest.mark.parametrize(
    ("interface", "family", "lack"),
    [
        (Interface(name="eth0"), 4, "interface eth0 to exist"),
        (eth0(held("192.0.2.1/24"), up=False), 4, "interface eth0 to come up"),
        (eth0(), 4, "interface eth0 to have an IPv4 address"),
        (eth0(held("192.0.2.10/24", ours=True)), 4, "interface eth0 to have an IPv4 address"),
        (eth0(held("192.0.2.1/24")), 4, None),
        (eth0(held("192.0.2.1/24")), 6, "interface eth0 to have a link-local IPv6 address"),
        (eth0(held("fe80::1/64", tentative=True)), 6, "interface eth0 to have a link-local IPv6 address"),
        (
            eth0(held("fe80::1/64", tentative=True, dadfailed=True)),
            6,
            "interface eth0 to have a link-local IPv6 address that no other machine has",
        ),
        (eth0(held("fe80::1/64")), 6, None),
    ],
)
def test_what_is_lacking_is_said(interface, family, lack):
    assert lacking(interface, VIPS, family) == lack


@pytest.mark.parametrize(
    ("wanted", "addresses", "put_on"),
    [
        pytest.param(["192.0.2.10/24"], (held("192.0.2.1/24"),), ["192.0.2.10/32"], id="subnet is there"),
        pytest.param(["192.0.2.10/24"], (held("10.0.0.1/8"),), ["192.0.2.10/24"], id="subnet is not there"),
        pytest.param(["192.0.2.10/24"], (), ["192.0.2.10/24"], id="nothing is there"),
        pytest.param(["192.0.2.10/24"], (held("192.0.2.1/32"),), ["192.0.2.10/24"], id="a lone host is no subnet"),
        pytest.param(["192.0.2.10/24"], (held("192.0.0.1/16"),), ["192.0.2.10/32"], id="a wider subnet"),
        pytest.param(
            ["192.0.2.10/24", "192.0.2.11/24", "10.0.0.1/8"],
            (),
            ["192.0.2.10/24", "192.0.2.11/32", "10.0.0.1/8"],
            id="the first of a subnet as written",
        ),
        pytest.param(
            ["192.0.2.10/24"],
            (held("192.0.2.11/24", ours=True),),
            ["192.0.2.10/24"],
            id="another virtual router's VIP does not count",
        ),
        pytest.param(
            ["fe80::10/64", "2001:db8::10/64", "2001:db8:1::10/64", "192.0.2.10/24"],
            (held("fe80::1/64"), held("2001:db8::1/64")),
            ["fe80::10/128", "2001:db8::10/128", "2001:db8:1::10/64", "192.0.2.10/24"],
            id="IPv6",
        ),
    ],
)
def test_vips_are_32_or_128_where_the_subnet_is_there(wanted, addresses, put_on):
    result = to_put_on(map(ip_interface, wanted), eth0(*addresses), all_vips=(*VIPS, *VIPS6))
    assert list(map(str, result)) == put_on


def test_an_owners_standing_address_is_left_alone():
    wanted = (IPv4Interface("192.0.2.10/24"), IPv4Interface("192.0.2.11/24"))
    there = eth0(held("192.0.2.10/24"), held("192.0.2.11/24", ours=True))
    assert not_permanent(wanted, there) == (IPv4Interface("192.0.2.11/24"),)


def test_removed():
    before = eth0(held("192.0.2.1/24"), held("192.0.2.10/32", ours=True))
    after = eth0(held("192.0.2.1/24"), held("192.0.2.2/24"))
    assert removed(before, after) == {IPv4Address("192.0.2.10")}
