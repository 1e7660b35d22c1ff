"""Header compression (RFC 7541), by the hpack library, as h2 is given it: the one module that touches it. Pure."""

from collections.abc import Iterable

from hpack import Decoder, Encoder, HPACKError, OversizedHeaderListError

from balancer.http2.errors import Reason, Violation

Fields = list[tuple[bytes, bytes]]
"""Names and values in order, pseudo-header fields among them."""

LARGEST_TABLE = 4_096
"""Of the encoder, whatever the client would allow: memory of ours, for each connection."""

_SECRET = frozenset((b"set-cookie", b"set-cookie2", b"authorization", b"proxy-authenticate", b"www-authenticate"))
_UNINDEXED = _SECRET | {b"content-length", b"content-range", b"etag", b"last-modified", b"x-request-id"}
"""Secrets, and what is seldom the same again and would only push other fields out of the table."""


class FieldDecoder(Decoder):
    """Header blocks of one connection, in the order of their arrival."""

    def __init__(self, max_bytes: int) -> None:
        """`max_bytes`: of one decoded list, as RFC 9113 section 6.5.2 counts (32 more for each field)."""
        super().__init__(max_header_list_size=max_bytes)

    def fields(self, block: bytes) -> Fields:
        """Raises Violation, after which the connection's compression is out of step: it must end."""
        try:
            return [(bytes(field[0]), bytes(field[1])) for field in self.decode(block, raw=True)]
        except OversizedHeaderListError:
            raise Violation(Reason.BLOCK_TOO_LARGE) from None
        except (HPACKError, IndexError, ValueError):
            raise Violation(Reason.COMPRESSION) from None


class FieldEncoder(Encoder):
    """Header blocks for one connection, which must be sent in the order in which they were made."""

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[list[tuple[bytes, bytes]], bytes] = [], b""
        """A list, and its block while that is the same: as long as nothing new comes into the table."""

    @property
    def header_table_size(self) -> int:
        """Of ours, never above LARGEST_TABLE, whatever the client's SETTINGS_HEADER_TABLE_SIZE says."""
        return int(self.header_table.maxsize)

    @header_table_size.setter
    def header_table_size(self, size: int) -> None:
        self.header_table.maxsize = size = min(size, LARGEST_TABLE)
        if self.header_table.resized:
            # The smallest and the last: all that RFC 7541 section 4.2 asks for, however many there were.
            smallest = min((size, *self.table_size_changes))
            self.table_size_changes = [size] if smallest == size else [smallest, size]

    def encode(self, headers: Iterable[tuple[bytes, bytes]], huffman: bool = False) -> bytes:  # type: ignore[override]
        """A header block. Secrets are never put into the table, where their length could be guessed at.

        Not Huffman-coded, which would save the client's link little and cost us more than all the rest.
        """
        fields, table = list(headers), self.header_table
        if fields == self._last[0] and not table.resized:
            return self._last[1]
        before = table.dynamic_entries[0] if table.dynamic_entries else None
        resized = table.resized
        block = super().encode([(name, value, name in _UNINDEXED) for name, value in fields], huffman=huffman)
        after = table.dynamic_entries[0] if table.dynamic_entries else None
        settled = before is after and not resized and not any(name in _SECRET for name, _ in fields)
        self._last = (fields, block) if settled else ([], b"")
        return block
