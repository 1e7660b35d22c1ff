"""TCP sockets of the liveness link: the only place that opens them."""

import errno
import fcntl
import socket
import struct
from ipaddress import IPv6Address

import trio

from vrrp.config import Address
from vrrp.liveness.config import LinkConfig

_TOS_INTERNETWORK_CONTROL, _PRIORITY_INTERNETWORK_CONTROL = 0xC0, 6
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78
_SEND_BUFFER_BYTES = 256 * 1024
_BACKLOG = 16
_USER_TIMEOUT_SILENCES = 4
_RTT_AT = 68
"""Where tcpi_rtt is in struct tcp_info, a 32-bit number of microseconds."""

_GONE_ALREADY = {
    *(errno.ECONNABORTED, errno.EPROTO, errno.ENOPROTOOPT, errno.EPERM, errno.EOPNOTSUPP, errno.ENONET),
    *(errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH),
}
"""Errors of the new connection, which accept(2) reports as its own."""

_HIGH_DESCRIPTORS = (1000, 500, 250)
"""The kernel closes a dying process's descriptors from the highest to the lowest (a habit, no promise), and a packet
socket takes 6 to 12 ms: it waits for RCU. So the link has the highest, and the peer sees its end before any of that.
"""


class PortTakenError(OSError):
    """Another program listens where the link would."""


class TcpWire:
    """A connected socket. See `vrrp.liveness.ports.Wire`."""

    def __init__(self, sock: socket.socket, *, user_timeout_s: float) -> None:
        """Takes the socket over. `user_timeout_s`: after how long without an acknowledgement the kernel gives it up.

        That must be after we have: a socket that the kernel gave up answers the peer with a reset, as a dead one does.
        """
        self._sock = _raised(sock)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(user_timeout_s * 1000))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_INTERNETWORK_CONTROL)

    def receive(self, limit_bytes: int) -> bytes | None:
        """What has arrived."""
        try:
            return self._sock.recv(limit_bytes)
        except BlockingIOError:
            return None

    def send(self, data: bytes | bytearray) -> int:
        """How much was taken."""
        try:
            return self._sock.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0

    async def wait_readable(self) -> None:
        """Wait for something, the end included."""
        await trio.lowlevel.wait_readable(self._sock)

    async def wait_writable(self) -> None:
        """Wait for room."""
        await trio.lowlevel.wait_writable(self._sock)

    def finish_sending(self) -> None:
        """FIN, if the connection is still there."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise

    def close(self) -> None:
        """Close, and wake whoever waits."""
        if self._sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()

    def round_trip_s(self) -> float | None:
        """The smoothed round-trip time."""
        info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 128)
        return float(struct.unpack_from("@I", info, _RTT_AT)[0]) / 1e6 if len(info) >= _RTT_AT + 4 else None


class TcpTransport:
    """See `vrrp.liveness.ports.Transport`."""

    async def dial(self, config: LinkConfig) -> TcpWire:
        """From the node's own address. Raises OSError."""
        sock = _new(config.address)
        try:
            sock.bind(sockaddr(config.address, 0))
            try:
                sock.connect(sockaddr(config.peer_address, config.port))
            except BlockingIOError:
                await trio.lowlevel.wait_writable(sock)
                _raise_pending(sock)
        except BaseException:
            sock.close()
            raise
        return TcpWire(sock, user_timeout_s=_user_timeout_s(config))

    def listen(self, config: LinkConfig) -> "TcpListener":
        """On the node's own address, even while it is not there yet. Raises PortTakenError where another does."""
        sock = _new(config.address)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _allow_any_address(sock)
            sock.bind(sockaddr(config.address, config.port))
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRINUSE:
                where = f"{config.address} port {config.port}"
                phrase = f"another program listens on {where}, which the link to the peer needs"
                raise PortTakenError(errno.EADDRINUSE, phrase) from None
            raise
        return TcpListener(sock, user_timeout_s=_user_timeout_s(config))


class TcpListener:
    """See `vrrp.liveness.ports.Listener`."""

    def __init__(self, sock: socket.socket, *, user_timeout_s: float) -> None:
        self._sock, self._user_timeout_s = sock, user_timeout_s

    async def accept(self) -> tuple[TcpWire, bytes]:
        """The next connection, and the address that it comes from."""
        while True:
            await trio.lowlevel.wait_readable(self._sock)
            try:
                sock, where = self._sock.accept()
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno not in _GONE_ALREADY:
                    raise
                continue
            source = socket.inet_pton(sock.family, str(where[0]).partition("%")[0])
            return TcpWire(sock, user_timeout_s=self._user_timeout_s), source

    def close(self) -> None:
        """Stop listening."""
        trio.lowlevel.notify_closing(self._sock)
        self._sock.close()


def sockaddr(address: Address, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """As the socket module wants it. Raises OSError where the address's scope is an interface that is not there."""
    if not isinstance(address, IPv6Address):
        return (str(address), port)
    text, _, scope = str(address).partition("%")
    return (text, port, 0, _index(scope) if scope else 0)


def _user_timeout_s(config: LinkConfig) -> float:
    return _USER_TIMEOUT_SILENCES * config.silence_limit_s


def _allow_any_address(sock: socket.socket) -> None:
    """Let it be bound to an address that this machine has not got yet."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)


def _index(scope: str) -> int:
    return int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)


def _new(address: Address) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    level, option = (
        (socket.IPPROTO_IP, socket.IP_TOS) if address.version == 4 else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
    )
    sock.setsockopt(level, option, _TOS_INTERNETWORK_CONTROL)  # an accepted socket inherits it
    return sock


def _raise_pending(sock: socket.socket) -> None:
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, errno.errorcode.get(number, str(number)))


def _raised(sock: socket.socket) -> socket.socket:
    """The same socket under a high descriptor number; as it is where the limit of descriptors allows none."""
    for lowest in _HIGH_DESCRIPTORS:
        try:
            number = fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EMFILE):
                raise
            continue
        sock.close()
        return socket.socket(fileno=number)
    return sock
