"""Header compression (RFC 7541), by the hpack library: the one module that touches it. Pure."""

from collections.abc import Iterable

from hpack import Decoder, Encoder, HPACKError, OversizedHeaderListError

from balancer.http2.errors import Reason, Violation

Fields = list[tuple[bytes, bytes]]
"""Names and values in order, pseudo-header fields among them."""

LARGEST_TABLE = 4_096
"""Of the encoder, whatever the client would allow: memory of ours, for each connection."""

_SECRET = frozenset((b"set-cookie", b"set-cookie2", b"authorization", b"proxy-authenticate", b"www-authenticate"))


class FieldDecoder:
    """Header blocks of one connection, in the order of their arrival."""

    __slots__ = ("_decoder",)

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes`: of one decoded list, as RFC 9113 section 6.5.2 counts (32 more for each field)."""
        self._decoder = Decoder(max_header_list_size=max_bytes)

    def decode(self, block: bytes) -> Fields:
        """Raises Violation, after which the connection's compression is out of step: it must end."""
        try:
            return [(bytes(field[0]), bytes(field[1])) for field in self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError:
            raise Violation(Reason.BLOCK_TOO_LARGE) from None
        except (HPACKError, IndexError, ValueError):
            raise Violation(Reason.COMPRESSION) from None


class FieldEncoder:
    """Header blocks for one connection, which must be sent in the order in which they were made."""

    __slots__ = ("_encoder",)

    def __init__(self) -> None:
        self._encoder = Encoder()

    def limit_table(self, size: int) -> None:
        """What the client's SETTINGS_HEADER_TABLE_SIZE says."""
        self._encoder.header_table_size = min(size, LARGEST_TABLE)

    def encode(self, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
        """A header block. Secrets are never put into the table, where their length could be guessed at.

        Not Huffman-coded, which would save the client's link little and cost us more than all the rest.
        """
        block: bytes = self._encoder.encode([(name, value, name in _SECRET) for name, value in fields], huffman=False)
        return block
