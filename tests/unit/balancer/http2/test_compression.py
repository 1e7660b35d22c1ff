import random

import pytest
from hpack import Decoder, Encoder

from balancer.http2.compression import FieldDecoder, FieldEncoder
from balancer.http2.errors import Reason, Violation

FIELDS = [(b":method", b"GET"), (b"x", b"\xff\x00"), (b"cookie", b"a=b")]


def test_fields_come_as_plain_bytes():
    assert FieldDecoder(4096).fields(Encoder().encode(FIELDS)) == FIELDS


@pytest.mark.parametrize(
    "block", [b"\xff" * 20, b"\x40\x0aabc", b"\x80", b"\xff\x7f", b"\x3f\xff\x7f", b"\x40\x81\xff"]
)
def test_what_cannot_be_decoded(block):
    with pytest.raises(Violation) as caught:
        FieldDecoder(4096).fields(block)
    assert caught.value.reason is Reason.COMPRESSION


def test_a_list_that_is_too_large():
    with pytest.raises(Violation) as caught:
        FieldDecoder(100).fields(Encoder().encode([(b"x", b"y" * 100)]))
    assert caught.value.reason is Reason.BLOCK_TOO_LARGE


def test_the_second_time_a_field_is_an_index():
    encoder, decoder = FieldEncoder(), Decoder()
    fields = [(b":status", b"200"), (b"server", b"a-server")]
    first, second = encoder.encode(fields), encoder.encode(fields)
    assert (len(first), len(second)) == (11, 2)
    assert [decoder.decode(block, raw=True) for block in (first, second)] == [fields, fields]


def test_a_cookie_is_never_put_into_the_table():
    encoder = FieldEncoder()
    assert encoder.encode([(b"set-cookie", b"id=1")]) == encoder.encode([(b"set-cookie", b"id=1")])
    assert encoder.encode([(b"set-cookie", b"id=1")])[0] & 0xF0 == 0x10  # RFC 7541 section 6.2.3


def test_the_client_may_do_without_a_table():
    encoder = FieldEncoder()
    encoder.header_table_size = 0
    assert encoder.encode([(b"a", b"b")])[0] == 0x20  # a table of 0 bytes from here on
    assert encoder.encode([(b"a", b"b")]) == encoder.encode([(b"a", b"b")])


def test_the_table_is_never_larger_than_ours():
    encoder = FieldEncoder()
    encoder.header_table_size = 1 << 30
    assert Decoder().decode(encoder.encode([(b"a", b"b")]), raw=True) == [(b"a", b"b")]


def test_a_block_is_made_once_while_the_table_is_the_same():
    encoder, decoder = FieldEncoder(), Decoder()
    one = [(b":status", b"200"), (b"server", b"a-server"), (b"content-length", b"17")]
    other = [*one[:2], (b"x", b"y")]
    blocks = []
    for fields in (one, one, one, other, one, one, other, other):
        block = encoder.encode(fields)
        assert decoder.decode(block, raw=True) == fields
        blocks.append(block)
    assert blocks[1] is blocks[2]
    assert blocks[4] is blocks[5]
    assert blocks[4] != blocks[2]  # what is new has pushed the others along
    assert blocks[6] is blocks[7]
    encoder.header_table_size = 0
    decoder.max_allowed_table_size = 4096
    block = encoder.encode(other)
    assert block[0] == 0x20
    assert decoder.decode(block, raw=True) == other
    assert decoder.decode(encoder.encode(other), raw=True) == other
    assert decoder.decode(encoder.encode(other), raw=True) == other


def test_what_is_seldom_the_same_pushes_nothing_out_of_the_table():
    encoder = FieldEncoder()
    for length in range(100):
        encoder.encode([(b"content-length", b"%d" % length), (b"x-request-id", b"%032x" % length)])
    assert len(encoder.header_table.dynamic_entries) == 0


def test_blocks_are_right_however_lists_change():
    choice = random.Random(1)
    encoder, decoder = FieldEncoder(), Decoder()
    for _ in range(2000):
        fields = [(choice.choice((b"a", b"server", b"etag")), bytes(choice.choices(b"xy", k=choice.choice((1, 2000)))))]
        for _ in range(choice.randrange(3)):
            if not choice.randrange(20):
                encoder.header_table_size = choice.choice((0, 100, 4096))
            assert decoder.decode(encoder.encode(fields), raw=True) == fields


def test_secrets_are_not_kept():
    encoder = FieldEncoder()
    for _ in range(3):
        encoder.encode([(b"set-cookie", b"id=1")])
    assert encoder._last == ([], b"")
