"""Bytes as linux/netfilter/nf_tables.h wants them, on a little-endian machine; nft itself sends the same."""

import sys

import pytest

from vrrp.linux import nftables as nft
from vrrp.linux.nftables import Answer, Notice, Table

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="netlink speaks the machine's own byte order")

T = Table(nft.ARP, "t")
IN_T = "06000100 74000000"  # the table's name, padded


def packed(*parts):
    return bytes.fromhex(" ".join(parts))


def test_a_table_of_a_socket():
    request = nft.add_table(T, owned=True)
    assert (request.kind, request.flags) == (0, 0x400)
    assert request.attributes == packed(IN_T, "08000200 00000002")
    assert nft.add_table(T).attributes == nft.delete_table(T).attributes == packed(IN_T)


def test_a_chain():
    request = nft.add_chain(T, "c", hook=1, priority=-500)
    hook = "14000480 08000100 00000001 08000200 fffffe0c"
    policy, kind = "08000500 00000001", "0b000700 66696c7465720000"
    assert (request.kind, request.flags) == (3, 0x400)
    assert request.attributes == packed(IN_T, "06000300 63000000", hook, policy, kind)


@pytest.mark.parametrize(
    ("key", "kind", "length"),
    [
        (nft.ADDRESS_KEYS[nft.ARP], "00000007", "00000004"),
        (nft.ADDRESS_KEYS[nft.IPV6], "00000008", "00000010"),
        (nft.with_interface(nft.ADDRESS_KEYS[nft.IPV6]), "00000229", "00000020"),
    ],
)
def test_a_set(key, kind, length):
    name, flags = "06000200 73000000", "08000300 00000002"
    expected = packed(IN_T, name, flags, "08000400", kind, "08000500", length, "08000a00 00000001")
    assert nft.add_set(T, "s", key, constant=True).attributes == expected
    assert nft.add_set(T, "s", key).attributes == expected.replace(packed(flags), packed("08000300 00000000"))


def test_elements_of_a_set():
    (request,) = nft.add_elements(T, "s", [b"\x0a\0\0\1", b"\x0a\0\0\2"])
    first, second = "10000180 0c000180 08000100 0a000001", "10000180 0c000180 08000100 0a000002"
    assert (request.kind, request.flags) == (12, 0x400)
    assert request.attributes == packed(IN_T, "06000200 73000000", "24000380", first, second)
    (gone,) = nft.delete_elements(T, "s", [b"\x0a\0\0\1", b"\x0a\0\0\2"])
    assert (gone.kind, gone.flags, gone.attributes) == (14, 0, request.attributes)
    assert nft.add_elements(T, "s", []) == []


def test_many_elements_are_several_messages():
    """The length of an attribute has 16 bits."""
    requests = nft.add_elements(T, "s", [number.to_bytes(32) for number in range(2500)])
    assert [len(request.attributes) for request in requests] == [44020, 44020, 22020]


def test_a_rule():
    request = nft.add_rule(
        T, "c", nft.load_payload(nft.NETWORK_HEADER, 14, 4), nft.in_set("s"), nft.count(), nft.verdict(nft.DROP)
    )
    payload = "34000180 0c000100 7061796c6f616400 24000280"
    place = "08000100 00000008 08000200 00000001 08000300 0000000e 08000400 00000004"
    lookup = "24000180 0b000100 6c6f6f6b75700000 14000280 06000100 73000000 08000200 00000008"
    counter = "14000180 0c000100 636f756e74657200 04000280"
    drop = "30000180 0e000100 696d6d6564696174 65000000 1c000280 08000100 00000000 10000280 0c000280 08000100 00000000"
    assert (request.kind, request.flags) == (6, 0xC00)
    rule = packed("a0000480", payload, place, lookup, counter, drop)
    assert request.attributes == packed(IN_T, "06000200 63000000") + rule


def test_a_rule_that_compares_and_marks():
    mark = nft.load_meta(nft.MARK), nft.compare(nft.EQUAL, b"abcd"), nft.load_value(b"wxyz"), nft.store_mark()
    load = "24000180 09000100 6d65746100000000 14000280 08000100 00000008 08000200 00000003"
    compare = "2c000180 08000100 636d7000 20000280 08000100 00000008 08000200 00000000 0c000380 08000100 61626364"
    value = "2c000180 0e000100 696d6d6564696174 65000000 18000280 08000100 00000008 0c000280 08000100 7778797a"
    store = "24000180 09000100 6d65746100000000 14000280 08000200 00000003 08000300 00000008"
    rule = packed("a4000480", load, compare, value, store)
    assert nft.add_rule(T, "c", *mark).attributes == packed(IN_T, "06000200 63000000") + rule


def test_a_batch():
    begin, end = "14000000 1000 0100 00000000 00000000 0000000a", "14000000 1100 0100 00000000 00000000 0000000a"
    delete = "1c000000 020a 0100 01000000 00000000 03000000"
    add = "1c000000 000a 0504 02000000 00000000 03000000"  # the last one is acknowledged
    requests = [nft.delete_table(T), nft.add_table(T)]
    assert nft.batch(requests) == packed(begin, delete, IN_T, add, IN_T, end)


def test_a_listing():
    assert nft.list_rules(T) == packed("1c000000 070a 0103 01000000 00000000 03000000", IN_T)
    assert nft.is_end(packed("14000000 0300 0200 01000000 00000000 00000000"))
    assert not nft.is_end(packed("1c000000 060a 0200 01000000 00000000 03000000", IN_T))


def test_answers():
    done = "24000000 0200 0001 02000000 00000000 00000000 1c000000 000a 0504 02000000 00000000"
    refused = "24000000 0200 0001 01000000 00000000 feffffff 1c000000 020a 0100 01000000 00000000"
    assert list(nft.answers_in(packed(done, refused))) == [Answer(2, 0), Answer(1, 2)]


def test_events():
    gone = packed("1c000000 020a 0000 01000000 39300000 03000000", IN_T)
    generation = packed("1c000000 0f0a 0000 01000000 39300000 00000000", "08000100 00000007")
    assert list(nft.notices_in(gone + generation)) == [Notice(2, T, 12345), Notice(15, None, 12345)]
    assert nft.DELETE_TABLE in nft.REMOVALS


@pytest.mark.parametrize("length", range(28))
def test_what_is_cut_short_is_left_out(length):
    message = packed("1c000000 020a 0000 01000000 39300000 03000000", IN_T)
    assert list(nft.notices_in(message[:length])) == []
    assert list(nft.answers_in(message[:length])) == []


@pytest.mark.parametrize(
    ("attributes", "table"),
    [
        ("03000100 74000000", None),  # shorter than its own header
        ("ff000100 74000000", None),  # longer than the message
        ("06000200 74000000", None),
        ("05000100 ff000000", Table(nft.ARP, "\ufffd")),
    ],
)
def test_an_event_that_makes_no_sense(attributes, table):
    message = packed("1c000000 020a 0000 01000000 39300000 03000000", attributes)
    assert list(nft.notices_in(message)) == [Notice(2, table, 12345)]


def test_a_rule_that_writes_into_the_packet():
    request = nft.add_rule(T, "c", nft.load_value(bytes(4)), nft.store_payload(nft.NETWORK_HEADER, 14, 4))
    value = "2c000180 0e000100 696d6d6564696174 65000000 18000280 08000100 00000008 0c000280 08000100 00000000"
    payload = "34000180 0c000100 7061796c6f616400 24000280"
    place = "08000500 00000008 08000200 00000001 08000300 0000000e 08000400 00000004"
    assert request.attributes == packed(IN_T, "06000200 63000000") + packed("64000480", value, payload, place)
