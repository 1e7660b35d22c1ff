"""The TCP connections of this machine whose local address is a VIP, from the kernel (NETLINK_SOCK_DIAG, sock_diag(7)).

The kernel filters by state and by address; each answer is a struct inet_diag_msg. A connection that is still to be
accepted, or whose handshake is not complete, is one too. TIME_WAIT is not: nothing is open there any more.
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from hapair.handover.messages import Flow
from vrrp.config import Address

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_AND_DUMP = 0x01 | 0x300
_ERROR, _DONE = 2, 3
_BYTECODE_ATTRIBUTE = 1
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI48x")
_MESSAGE = struct.Struct("!BBBB HH 16s 16s")
_CONDITION = struct.Struct("=BBHBBHi")
_JUMP = struct.Struct("=BBH")
_SOURCE_CONDITION, _JUMP_CODE = 7, 1
_RECEIVE_BYTES = 1 << 18
_MAPPED = bytes(10) + b"\xff\xff"

_ESTABLISHED, _SYN_RECV, _FIN_WAIT1, _FIN_WAIT2, _CLOSE_WAIT, _LAST_ACK, _CLOSING = 1, 3, 4, 5, 8, 9, 11
_NEW_SYN_RECV = 12
STATES = (_ESTABLISHED, _SYN_RECV, _FIN_WAIT1, _FIN_WAIT2, _CLOSE_WAIT, _LAST_ACK, _CLOSING, _NEW_SYN_RECV)
LIVING = tuple(state for state in STATES if state != _FIN_WAIT2)
"""Without connections of which only the other side's end is awaited: nobody here has anything to do with them."""


def list_flows(vips: Sequence[Address], states: Sequence[int] = STATES) -> list[Flow]:
    """Every flow to one of `vips`, both families. Raises OSError."""
    if not vips:
        return []
    families = (socket.AF_INET, socket.AF_INET6)  # an IPv6 socket may serve IPv4 clients
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as diag:
        found: list[Flow] = []
        for family in families:
            diag.send(request(family, vips, states))
            found += _answers(diag)
    return found


def request(family: int, vips: Sequence[Address], states: Sequence[int]) -> bytes:
    """A dump of the TCP sockets in these states, with a filter that the kernel runs."""
    mask = sum(1 << state for state in states)
    code = bytecode(vips)
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, mask)
    body += struct.pack("=HH", 4 + len(code), _BYTECODE_ATTRIBUTE) + code
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST_AND_DUMP, 1, 0) + body


def bytecode(vips: Sequence[Address]) -> bytes:
    """`src VIP or src VIP or ...`: each condition leads to a jump to the end where it holds, else to the next one.

    Offsets are relative; exactly the end accepts, 4 bytes beyond it reject.
    """
    code = b""
    for place, vip in enumerate(reversed(vips)):
        family = socket.AF_INET if vip.version == 4 else socket.AF_INET6
        size = _CONDITION.size + len(vip.packed)
        past = size + 4 if place == 0 else size + _JUMP.size
        jump = b"" if place == 0 else _JUMP.pack(_JUMP_CODE, _JUMP.size, _JUMP.size + len(code))
        condition = _CONDITION.pack(_SOURCE_CONDITION, size, past, family, vip.max_prefixlen, 0, -1) + vip.packed
        code = condition + jump + code
    return code


def _answers(diag: socket.socket) -> Iterator[Flow]:
    while True:
        data = diag.recv(_RECEIVE_BYTES)
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
            if kind == _DONE:
                return
            if kind == _ERROR:
                number = -struct.unpack_from("=i", data, offset + _HEADER.size)[0]
                raise OSError(number, "the kernel does not list sockets")
            if kind == _SOCK_DIAG_BY_FAMILY:
                yield parse(data, offset + _HEADER.size)
            offset += (length + 3) & ~3


def parse(data: bytes, offset: int = 0) -> Flow:
    """One struct inet_diag_msg as a flow: its source is this machine's side."""
    family, _, _, _, vip_port, client_port, vip, client = _MESSAGE.unpack_from(data, offset)
    return Flow(_address(family, client), client_port, _address(family, vip), vip_port)


def _address(family: int, packed: bytes) -> Address:
    if family == socket.AF_INET:
        return IPv4Address(packed[:4])
    return IPv4Address(packed[12:]) if packed.startswith(_MAPPED) else IPv6Address(packed)
