"""Signed advertisements: what was forged, altered or recorded changes nothing, and is counted."""

from ipaddress import IPv4Address

import pytest
import trio

from vrrp.advertisement import Advertisement, encode
from vrrp.authentication import Signer, Verifier, derive

KEY, OTHER_KEY = derive(b"the pair's secret", b"adverts"), derive(b"another secret", b"adverts")
A, X = IPv4Address("192.0.2.1"), IPv4Address("192.0.2.66")


def advert_of(source, priority):
    vips = (IPv4Address("192.0.2.10"),)
    advertisement = Advertisement(vrid=51, priority=priority, max_advert_interval_cs=10, addresses=vips)
    return encode(advertisement, source=source, checksum="rfc5798")


@pytest.fixture
def keyed(machine, config):
    """`keyed("a", address, mode, priority)`: a machine with the pair's key."""

    def make(name, address, mode, priority, **changes):
        router = config(priority=priority, authentication=mode, **changes)
        signer = Signer(KEY, epoch=1_800_000_000)
        return machine(name, address, router, signer=signer, verifiers={"lan": Verifier(KEY, mode)})

    return make


@pytest.fixture
async def signed(start, keyed):
    a = keyed("a", "192.0.2.1/24", "required", 200)
    b = keyed("b", "192.0.2.2/24", "required", 100)
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    return a, b


def untouched(a, b):
    return [each.transitions() for each in (a, b)] == [[(0.0, "Backup"), (0.321875, "Active")], [(0.0, "Backup")]]


async def test_each_has_a_trailer_that_the_peer_takes(autojump_clock, signed, lan):
    _, b = signed
    assert {len(payload) for _, _, payload in lan.packets} == {12 + 52}
    assert (b.router.adverts_received, b.router.adverts_rejected, b.router.adverts_unsigned) == (17, {}, 0)


@pytest.mark.parametrize("priority", [0, 254])
@pytest.mark.parametrize("source", [X, IPv4Address("192.0.2.3")])
async def test_an_unsigned_one_is_dropped(autojump_clock, signed, stranger, priority, source):
    a, b = signed
    stranger(advert_of(source, priority).hex(), source=str(source))
    await trio.sleep(1)
    assert [each.router.adverts_rejected for each in signed] == [{"unsigned": 1}] * 2
    assert untouched(a, b)


async def test_a_resignation_in_the_name_of_the_active_is_dropped(autojump_clock, signed, stranger):
    a, b = signed
    stranger(advert_of(A, 0).hex(), source=str(A))
    await trio.sleep(1)
    assert (a.router.adverts_rejected, b.router.adverts_rejected) == ({"own_address": 1}, {"unsigned": 1})
    assert untouched(a, b)


async def test_one_signed_with_another_key_is_dropped(autojump_clock, signed, stranger):
    a, b = signed
    stranger(Signer(OTHER_KEY, epoch=1_900_000_000).sign(advert_of(X, 254), X).hex())
    await trio.sleep(1)
    assert [each.router.adverts_rejected for each in signed] == [{"authentication": 1}] * 2
    assert untouched(a, b)


async def test_an_altered_one_is_dropped(autojump_clock, signed, lan, stranger):
    a, b = signed
    recorded = lan.packets[-1][2]
    stranger((recorded[:2] + b"\x00" + recorded[3:]).hex(), source=str(A))  # priority 0
    await trio.sleep(1)
    assert b.router.adverts_rejected == {"authentication": 1}
    assert untouched(a, b)


async def test_one_from_another_address_than_was_signed_is_dropped(autojump_clock, signed, lan, stranger):
    a, b = signed
    stranger(lan.packets[-1][2].hex(), source=str(X))
    await trio.sleep(1)
    assert b.router.adverts_rejected == {"authentication": 1}
    assert untouched(a, b)


async def test_a_replayed_one_is_dropped(autojump_clock, signed, lan, stranger):
    a, b = signed
    for _, _, recorded in lan.packets[:]:
        stranger(recorded.hex(), source=str(A))
    await trio.sleep(1)
    assert b.router.adverts_rejected == {"replay": 17}
    assert untouched(a, b)


async def test_a_replayed_resignation_is_dropped(autojump_clock, signed, lan, stranger):
    a, b = signed
    await a.runner.resign("maintenance")
    resignation = [payload for _, name, payload in lan.packets if name == "a"][-1]
    assert resignation[2] == 0
    a.runner.resume()
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    stranger(resignation.hex(), source=str(A))
    await trio.sleep(1)
    assert b.router.adverts_rejected == {"replay": 1}
    assert (a.state, b.state) == ("Active", "Backup")


async def test_replays_do_not_hide_a_crash(autojump_clock, signed, lan, stranger):
    """An Active Router whose old advertisements are played again is missed in time."""
    a, b = signed
    recorded = [payload.hex() for _, _, payload in lan.packets]
    a.crash()
    for payload in recorded:
        stranger(payload, source=str(A))
        await trio.sleep(0.05)
    assert b.entered("Active") == pytest.approx(1.921875 + 0.001 + 0.3609375, abs=1e-6)


async def test_while_it_is_rolled_out_unsigned_ones_are_taken_and_counted(
    autojump_clock, start, machine, keyed, config
):
    a = machine("a", "192.0.2.1/24", config(priority=200))
    b = keyed("b", "192.0.2.2/24", "permissive", 100)
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    assert (b.router.adverts_unsigned, b.router.adverts_received) == (17, 17)


async def test_while_it_is_rolled_out_false_signatures_are_not(autojump_clock, start, keyed, stranger):
    a = keyed("a", "192.0.2.1/24", "permissive", 200)
    await start(a)
    await trio.sleep(1)
    stranger(Signer(OTHER_KEY, epoch=1_900_000_000).sign(advert_of(X, 254), X).hex())
    await trio.sleep(0.1)
    assert (a.router.adverts_rejected, a.router.adverts_unsigned, a.state) == ({"authentication": 1}, 0, "Active")


async def test_unicast_is_signed_too(autojump_clock, start, keyed, stranger):
    b_address = IPv4Address("192.0.2.2")
    a = keyed("a", "192.0.2.1/24", "required", 200, peers=(b_address,))
    b = keyed("b", "192.0.2.2/24", "required", 100, peers=(A,))
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state, b.router.adverts_received) == ("Active", "Backup", 17)
    stranger(advert_of(b_address, 254).hex(), source=str(b_address), destination=str(A), ttl=64)
    await trio.sleep(0.01)
    assert (a.router.adverts_rejected, a.state) == ({"unsigned": 1}, "Active")


async def test_a_virtual_mac_address_makes_no_difference(autojump_clock, start, keyed):
    a = keyed("a", "192.0.2.1/24", "required", 200, virtual_mac=True)
    b = keyed("b", "192.0.2.2/24", "required", 100, virtual_mac=True)
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state, b.router.adverts_received) == ("Active", "Backup", 17)
