"""Signed adverts: what is accepted, and that each is accepted once."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from vrrp.advertisement import GROUP, GROUP6, AdvertRejected, Datagram, RejectReason, decode, internet_checksum
from vrrp.authentication import LAST_WILL_COUNTER, TRAILER_BYTES, Signer, Verifier, derive, is_signed

KEY = bytes(range(32))
PAYLOAD = bytes.fromhex("31339601006442ad0a630064")
PAYLOAD6 = bytes.fromhex("3133960200643d13fe800000000000000000000000000100fd990000000000000000000000000100")
OTHER_VRID = bytes.fromhex("31349601006442ac0a630064")
SOURCE, OTHER = IPv4Address("10.99.0.1"), IPv4Address("10.99.0.3")
SOURCE6 = IPv6Address("fe80::ff:fe00:a")
EPOCH = 1_700_000_000


def signed(count, *, epoch=EPOCH, first_counter=0, payload=PAYLOAD, source=SOURCE):
    signer = Signer(KEY, epoch, first_counter)
    return [signer.sign(payload, source) for _ in range(count)]


def verifier(mode="required"):
    return Verifier(KEY, mode)


def reason(verifier, payload, source=SOURCE):
    with pytest.raises(AdvertRejected) as rejected:
        verifier.verify(payload, source)
    return rejected.value.reason


@pytest.mark.parametrize(("payload", "source"), [(PAYLOAD, SOURCE), (PAYLOAD6, SOURCE6)])
def test_what_is_signed_is_verified(payload, source):
    [advert] = signed(1, payload=payload, source=source)
    assert len(advert) == len(payload) + 52
    assert advert.startswith(payload)
    assert verifier().verify(advert, source) == payload


def test_trailer_is_as_documented():
    [advert] = signed(1, epoch=0x0102030405060708, first_counter=0x1112131415161718)
    trailer = advert[len(PAYLOAD) :]
    assert len(trailer) == TRAILER_BYTES == 52
    assert trailer[:2].hex() == "6841"
    assert trailer[4:20].hex() == "01020304050607081112131415161718"


def test_keys_differ_by_purpose_and_secret():
    # As openssl dgst -sha256 -hmac secret gives it.
    assert derive(b"secret", b"adverts").hex() == "e86db8e098ef2cf0f0889a8fc41d91119a424d2d0921741d1f9bd2534243dcaa"
    assert derive(b"secret", b"link") != derive(b"secret", b"adverts") != derive(b"Secret", b"adverts")


@pytest.mark.parametrize("position", range(len(PAYLOAD) + TRAILER_BYTES))
def test_no_byte_can_be_changed(position):
    [advert] = signed(1)
    altered = bytearray(advert)
    altered[position] ^= 0x01
    one = verifier()
    assert reason(one, bytes(altered)) in (RejectReason.AUTHENTICATION, RejectReason.UNSIGNED)
    assert one.verify(advert, SOURCE) == PAYLOAD  # what was refused has left nothing behind


def test_another_key_is_refused():
    [advert] = signed(1)
    assert reason(Verifier(bytes(32), "required"), advert) is RejectReason.AUTHENTICATION


def test_source_address_is_signed():
    [advert] = signed(1)
    assert reason(verifier(), advert, OTHER) is RejectReason.AUTHENTICATION


def test_an_ipv4_source_does_not_pass_for_an_ipv6_one():
    [advert] = signed(1)
    mapped = IPv6Address("::ffff:10.99.0.1")
    assert reason(verifier(), advert, mapped) in (RejectReason.AUTHENTICATION, RejectReason.UNSIGNED)


def test_required_refuses_unsigned_ones():
    one = verifier()
    assert reason(one, PAYLOAD) is RejectReason.UNSIGNED
    assert one.unsigned == 0


def test_permissive_takes_unsigned_ones_and_counts_them():
    one = verifier("permissive")
    assert one.verify(PAYLOAD, SOURCE) == PAYLOAD
    assert one.verify(PAYLOAD, SOURCE) == PAYLOAD
    assert one.unsigned == 2


def test_permissive_refuses_wrongly_signed_ones():
    one = Verifier(bytes(32), "permissive")
    [advert] = signed(1)
    assert reason(one, advert) is RejectReason.AUTHENTICATION
    assert one.unsigned == 0


def test_permissive_refuses_replays():
    one = verifier("permissive")
    [advert] = signed(1)
    one.verify(advert, SOURCE)
    assert reason(one, advert) is RejectReason.REPLAY


@pytest.mark.parametrize("payload", [PAYLOAD, signed(1)[0], b"", b"\x31", b"anything at all"])
def test_off_looks_at_nothing(payload):
    assert verifier("off").verify(payload, SOURCE) == payload


@pytest.mark.parametrize("payload", [b"", b"\x31", b"\x31\x33\x96", bytes(8), bytes(52), b"hA" * 26, b"\xff" * 60])
def test_anything_is_unsigned(payload):
    assert reason(verifier(), payload) is RejectReason.UNSIGNED
    assert verifier("permissive").verify(payload, SOURCE) == payload


def test_addresses_that_look_like_a_trailer_are_addresses():
    addresses = bytes.fromhex("68410000") + bytes.fromhex("0a630064") * 12
    payload = bytes.fromhex("3133960d00640000") + addresses
    one = verifier("permissive")
    assert one.verify(payload, SOURCE) == payload
    assert one.unsigned == 1
    [advert] = signed(1, payload=payload)
    assert verifier().verify(advert, SOURCE) == payload


def test_each_is_accepted_once():
    one = verifier()
    adverts = signed(200)
    for advert in adverts:
        assert one.verify(advert, SOURCE) == PAYLOAD
    assert {reason(one, advert) for advert in adverts} == {RejectReason.REPLAY}


def test_they_may_come_in_any_order_within_the_window():
    one = verifier()
    adverts = signed(64)
    for advert in reversed(adverts):
        assert one.verify(advert, SOURCE) == PAYLOAD
    assert {reason(one, advert) for advert in adverts} == {RejectReason.REPLAY}


def test_the_window_is_64_long():
    one = verifier()
    adverts = signed(65)
    one.verify(adverts[64], SOURCE)
    assert one.verify(adverts[1], SOURCE) == PAYLOAD
    assert reason(one, adverts[0]) is RejectReason.REPLAY


def test_what_was_seen_before_a_jump_is_remembered_as_far_as_the_window_reaches():
    one = verifier()
    adverts = signed(100)
    one.verify(adverts[40], SOURCE)
    one.verify(adverts[99], SOURCE)
    assert reason(one, adverts[40]) is RejectReason.REPLAY
    assert one.verify(adverts[41], SOURCE) == PAYLOAD
    assert reason(one, adverts[35]) is RejectReason.REPLAY


def test_a_gap_of_any_size_is_jumped():
    one = verifier()
    for first in (0, 1000, 2**32, 2**64 - 1):
        [advert] = signed(1, first_counter=first)
        assert one.verify(advert, SOURCE) == PAYLOAD


def test_a_last_will_is_ahead_of_what_the_announcer_said():
    one = verifier()
    for advert in signed(10):
        one.verify(advert, SOURCE)
    wills = signed(2, first_counter=LAST_WILL_COUNTER)
    assert [one.verify(will, SOURCE) for will in wills] == [PAYLOAD, PAYLOAD]
    assert reason(one, wills[0]) is RejectReason.REPLAY
    assert reason(one, signed(11)[10]) is RejectReason.REPLAY
    [restarted] = signed(1, epoch=EPOCH + 1)
    assert one.verify(restarted, SOURCE) == PAYLOAD


def test_virtual_routers_and_senders_are_apart():
    one = verifier()
    one.verify(signed(1)[0], SOURCE)
    assert one.verify(signed(1, payload=OTHER_VRID)[0], SOURCE) == OTHER_VRID
    assert one.verify(signed(1, source=OTHER)[0], OTHER) == PAYLOAD
    assert one.verify(signed(1, source=SOURCE6, payload=PAYLOAD6)[0], SOURCE6) == PAYLOAD6


def test_routers_of_one_process_may_share_a_signer():
    one, signer = verifier(), Signer(KEY, EPOCH)
    for payload in (PAYLOAD, OTHER_VRID) * 100:
        assert one.verify(signer.sign(payload, SOURCE), SOURCE) == payload


def test_an_earlier_epoch_is_a_replay():
    one = verifier()
    before, after = signed(3), signed(2, epoch=EPOCH + 1)
    one.verify(before[0], SOURCE)
    one.verify(after[0], SOURCE)
    assert reason(one, before[1]) is RejectReason.REPLAY
    assert one.verify(after[1], SOURCE) == PAYLOAD


def test_a_forged_epoch_does_not_lock_the_peer_out():
    one = verifier()
    forged = Signer(bytes(32), EPOCH + 1000).sign(PAYLOAD, SOURCE)
    assert reason(one, forged) is RejectReason.AUTHENTICATION
    assert one.verify(signed(1)[0], SOURCE) == PAYLOAD


def test_a_clock_that_was_set_back_is_trusted_when_the_peer_says_so():
    one = verifier()
    before, after = signed(2), signed(2, epoch=EPOCH - 1000)
    one.verify(before[0], SOURCE)
    assert reason(one, after[0]) is RejectReason.REPLAY
    one.trust_epoch(SOURCE, EPOCH - 1000)
    assert one.verify(after[0], SOURCE) == PAYLOAD
    assert reason(one, after[0]) is RejectReason.REPLAY


def test_after_that_the_spent_epochs_stay_refused():
    one = verifier()
    between, before = signed(1, epoch=EPOCH - 500), signed(2)
    one.verify(before[0], SOURCE)
    one.trust_epoch(SOURCE, EPOCH - 1000)
    assert reason(one, before[1]) is RejectReason.REPLAY
    assert reason(one, between[0]) is RejectReason.REPLAY
    [newer] = signed(1, epoch=EPOCH + 1)
    assert one.verify(newer, SOURCE) == PAYLOAD


def test_an_epoch_that_is_known_already_is_not_begun_again():
    one = verifier()
    [advert] = signed(1)
    one.verify(advert, SOURCE)
    one.trust_epoch(SOURCE, EPOCH)
    assert reason(one, advert) is RejectReason.REPLAY


def test_the_link_may_tell_the_epoch_before_anything_is_heard():
    one = verifier()
    one.trust_epoch(SOURCE, EPOCH)
    assert reason(one, signed(1, epoch=EPOCH - 1)[0]) is RejectReason.REPLAY
    assert one.verify(signed(1)[0], SOURCE) == PAYLOAD


def test_an_epoch_is_trusted_for_every_virtual_router_of_that_sender_alone():
    one = verifier()
    for payload, source in ((PAYLOAD, SOURCE), (OTHER_VRID, SOURCE), (PAYLOAD, OTHER)):
        one.verify(signed(1, payload=payload, source=source)[0], source)
    one.trust_epoch(SOURCE, 5)
    assert one.verify(signed(1, epoch=5)[0], SOURCE) == PAYLOAD
    assert one.verify(signed(1, epoch=5, payload=OTHER_VRID)[0], SOURCE) == OTHER_VRID
    assert reason(one, signed(1, epoch=5, source=OTHER)[0], OTHER) is RejectReason.REPLAY


@pytest.mark.parametrize(("payload", "source", "group"), [(PAYLOAD, SOURCE, GROUP), (PAYLOAD6, SOURCE6, GROUP6)])
def test_who_takes_the_trailer_for_the_message_finds_the_checksum_right(payload, source, group):
    for advert in signed(20, payload=payload, source=source):
        pseudo_header = source.packed + group.packed + (112).to_bytes(2, "big") + len(advert).to_bytes(2, "big")
        assert internet_checksum(pseudo_header + advert) == 0


def test_a_router_without_authentication_refuses_signed_adverts():
    [advert] = signed(1)
    with pytest.raises(AdvertRejected) as rejected:
        decode(Datagram(advert, SOURCE, GROUP, 255))
    assert rejected.value.reason is RejectReason.LENGTH


def test_a_signer_tells_its_epoch():
    assert Signer(KEY, EPOCH).epoch == 1_700_000_000


def test_a_payload_that_looks_signed() -> None:
    payload = bytes.fromhex("3133c801000aa1c1c0000264")
    assert not is_signed(payload)
    assert not is_signed(bytes(52))
    assert is_signed(Signer(derive(bytes(32), b"adverts"), 1).sign(payload, IPv4Address("192.0.2.11")))
