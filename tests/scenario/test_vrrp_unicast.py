"""Pairs without multicast: each sends to the other's address, and listens to nobody else."""

from ipaddress import IPv4Address, IPv6Address, IPv6Interface

import pytest
import trio

from vrrp.advertisement import Advertisement, encode

A, B = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")


@pytest.fixture
async def unicast(start, machine, config):
    a = machine("a", "192.0.2.1/24", config(priority=200, peers=(B,)))
    b = machine("b", "192.0.2.2/24", config(priority=100, peers=(A,)))
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    return a, b


def advert_of_254(source, destination):
    vips = (IPv4Address("192.0.2.10"),)
    advertisement = Advertisement(vrid=51, priority=254, max_advert_interval_cs=10, addresses=vips)
    addresses = {"source": IPv4Address(source), "destination": IPv4Address(destination)}
    return encode(advertisement, checksum="rfc5798", **addresses).hex()


async def test_takeover_and_back(autojump_clock, unicast):
    a, b = unicast
    a.node.set_link(up=False)
    await trio.sleep(1)
    assert b.entered("Active") == pytest.approx(1.921875 + 0.001 + 0.3609375, abs=1e-6)
    a.node.set_link(up=True)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_ttl_64_is_accepted_from_the_peer(autojump_clock, unicast, stranger):
    a, _ = unicast
    stranger(advert_of_254(B, A), source=str(B), destination=str(A), ttl=64)
    await trio.sleep(0.01)
    assert (a.router.adverts_received, a.router.adverts_rejected) == (1, {})
    assert a.state == "Backup"


@pytest.mark.parametrize(
    ("source", "destination", "reason"),
    [
        pytest.param("192.0.2.66", "192.0.2.1", "peer", id="not the peer"),
        pytest.param("192.0.2.66", "224.0.0.18", "peer", id="not the peer, to everybody"),
        pytest.param("192.0.2.2", "224.0.0.18", "destination", id="the peer, to everybody"),
    ],
)
async def test_from_anybody_else_it_is_dropped(autojump_clock, unicast, stranger, source, destination, reason):
    a, _ = unicast
    stranger(advert_of_254(source, destination), source=source, destination=destination)
    await trio.sleep(0.01)
    assert (a.router.adverts_received, a.router.adverts_rejected) == (0, {reason: 1})
    assert a.state == "Active"


async def test_rule_7_without_peers_unicast_and_a_lower_ttl_are_dropped(autojump_clock, pair, stranger):
    a, _ = pair
    stranger(advert_of_254(B, A), destination="192.0.2.1")
    stranger(advert_of_254(B, "224.0.0.18"), ttl=254)
    await trio.sleep(0.01)
    assert a.router.adverts_rejected == {"destination": 1, "ttl": 1}
    assert a.state == "Active"


async def test_ipv6(autojump_clock, start, machine, config):
    vips = (IPv6Interface("fe80::200:5eff:fe00:233/64"),)
    one, other = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
    a = machine("a", "fe80::1/64", config(priority=200, addresses=vips, peers=(other,), source=one))
    b = machine("b", "fe80::2/64", config(priority=100, addresses=vips, peers=(one,), source=other))
    a.node.add_address("2001:db8::1/64")
    b.node.add_address("2001:db8::2/64")
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    assert b.router.active_router == "2001:db8::1"
