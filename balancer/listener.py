"""Listening sockets, opened once by the process that starts the workers and shared by all of them.

Bound without SO_REUSEPORT: two programs on one port is a mistake that must show. Bound with IP_FREEBIND: the standby
node listens on a VIP that it does not hold yet, with no sysctl to set.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from balancer.config import Frontend, ListenTcp, UnixFile
from balancer.fieldtypes import Endpoint
from balancer.sockets import address_of, family_of, listen_options, remove_stale

_PLAIN, _FILE = ListenTcp(), UnixFile()
_NONE: Mapping[Endpoint, socket.socket] = MappingProxyType({})

# Named by the socket module from Python 3.14 on, or never; the numbers are Linux's for all architectures.
_IP_FREEBIND = 15
_IPV6_FREEBIND = 78
# Tables under /proc/net, and the state of a socket there that takes whatever comes.
_STREAMS, _DATAGRAMS = ("tcp", "0A"), ("udp", "07")

_UNPRIVILEGED_PORT_START = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


class ListenFailed(Exception):  # noqa: N818 - named for what happened
    """An address that cannot be listened on. The message is one line: the address, why, and what to do."""

    def __init__(self, endpoint: Endpoint, reason: str) -> None:
        super().__init__(f"cannot listen on {endpoint}: {reason}")
        self.endpoint = endpoint


def open_listeners(
    endpoints: Iterable[Endpoint],
    frontends: Mapping[Endpoint, Frontend] | None = None,
    *,
    beside: Mapping[Endpoint, socket.socket] = _NONE,
) -> dict[Endpoint, socket.socket]:
    """A non-blocking listening socket for each endpoint, set up as its frontend says, where that is given.

    `beside`: sockets of ours that are about to be closed, and may be in the way until then: `0.0.0.0:80` is when
    `192.0.2.1:80` is to be listened on. Raises ListenFailed, and then none is open.
    """
    listeners: dict[Endpoint, socket.socket] = {}
    try:
        for endpoint in endpoints:
            frontend = None if frontends is None else frontends.get(endpoint)
            tcp, unix = (_PLAIN, _FILE) if frontend is None else (frontend.tcp, frontend.unix)
            in_the_way = [one for other, one in beside.items() if other.port == endpoint.port and not other.is_unix]
            listeners[endpoint] = open_listener(endpoint, tcp, unix, beside=in_the_way)
    except BaseException:
        close_listeners(listeners)
        raise
    return listeners


def close_listeners(listeners: Mapping[Endpoint, socket.socket]) -> None:
    """Close them, and remove the files of unix sockets."""
    for endpoint, listener in listeners.items():
        listener.close()
        if endpoint.is_unix:
            with contextlib.suppress(FileNotFoundError, PermissionError):
                os.unlink(endpoint.host)


def open_listener(
    endpoint: Endpoint, tcp: ListenTcp = _PLAIN, unix: UnixFile = _FILE, *, beside: Sequence[socket.socket] = ()
) -> socket.socket:
    """One listening socket. `[::]` (written `:80` in a configuration) takes IPv4 too. Raises ListenFailed.

    `beside`: see `open_listeners`. For the time that both are there, both allow it (SO_REUSEPORT).
    """
    listener = socket.socket(family_of(endpoint), socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        if endpoint.is_unix:
            _bind_file(listener, endpoint, unix)
        else:
            _set_options(listener, endpoint, tcp)
            for one in (*beside, listener) if beside else ():
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(address_of(endpoint))
        listener.listen(tcp.backlog)
        if beside and not endpoint.is_unix:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
    except ListenFailed:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        raise failure(endpoint, error) from None
    return listener


def _bind_file(listener: socket.socket, endpoint: Endpoint, unix: UnixFile) -> None:
    """Nobody can connect before `listen`, so whoever may not never could."""
    path = endpoint.host
    try:
        listener.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not remove_stale(path):
            raise
        listener.bind(path)
    try:
        set_file(endpoint, unix)
    except (OSError, ListenFailed):
        os.unlink(path)
        raise


def set_file(endpoint: Endpoint, unix: UnixFile) -> None:
    """Who may connect to a unix socket. Raises ListenFailed, OSError."""
    path = endpoint.host
    try:
        user = -1 if unix.user is None else pwd.getpwnam(unix.user).pw_uid
        group = -1 if unix.group is None else grp.getgrnam(unix.group).gr_gid
        os.chmod(path, unix.bits)
        if (user, group) != (-1, -1):
            os.chown(path, user, group)
    except KeyError as error:
        raise ListenFailed(endpoint, f"no user or group of this machine is called {_last_word(error)}") from None


def _last_word(error: KeyError) -> str:
    return str(error.args[0]).rpartition(" ")[2]


def _set_options(listener: socket.socket, endpoint: Endpoint, tcp: ListenTcp) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    for level, option, value in listen_options(tcp):
        listener.setsockopt(level, option, value)
    allow_absent_address(listener, endpoint)


def allow_absent_address(listener: socket.socket, endpoint: Endpoint) -> None:
    """Let a socket be bound to an address that is not here yet; `[::]` takes IPv4 too."""
    if endpoint.is_ipv6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, endpoint.host != "::")
        listener.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    else:
        listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)


def failure(endpoint: Endpoint, error: OSError, *, datagrams: bool = False) -> Exception:
    """ListenFailed where it can be said what is wrong; else the error itself."""
    reason = _reason(endpoint, error, datagrams=datagrams)
    return error if reason is None else ListenFailed(endpoint, reason)


def _reason(endpoint: Endpoint, error: OSError, *, datagrams: bool) -> str | None:
    if endpoint.is_unix:
        return _reason_of_file(endpoint, error)
    match error.errno:
        case errno.EADDRINUSE:
            owner = owner_of(endpoint, datagrams=datagrams)
            taken = f"the port is taken by {owner}" if owner else "the port is taken by another program"
            return f"{taken}; stop it, or give another port in `listen`"
        case errno.EACCES:
            lowest = _UNPRIVILEGED_PORT_START.read_text().strip()
            return (
                f"ports below {lowest} need CAP_NET_BIND_SERVICE; start as root or by the systemd unit, "
                f"or give a port from {lowest} on"
            )
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return "this machine has no such address family or address; is IPv6 switched off?"
        case errno.EMFILE | errno.ENFILE:
            return "no descriptors are left; raise the limit (ulimit -n, LimitNOFILE)"
        case _:
            return None


def _reason_of_file(endpoint: Endpoint, error: OSError) -> str | None:
    match error.errno:
        case errno.EADDRINUSE:
            owner = owner_of(endpoint)
            who = f"{owner} listens there" if owner else "it is taken, or no socket"
            return f"{who}; stop it, remove the file, or give another path in `listen`"
        case errno.ENOENT | errno.ENOTDIR:
            return "there is no such folder; make it, or give another path in `listen`"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            why = os.strerror(error.errno).lower()
            return f"{why}; the user that hapair runs as must be allowed to make the file, and to give it away"
        case _:
            return None


def owner_of(endpoint: Endpoint, *, datagrams: bool = False) -> str | None:
    """`nginx (pid 123)`: who listens where `endpoint` would; None where /proc does not tell us."""
    if endpoint.is_unix:
        inodes = _listening_at(endpoint.host)
    else:
        kind = _DATAGRAMS if datagrams else _STREAMS
        inodes = {inode for inode, host in _listening_on(endpoint.port, *kind) if _overlap(host, endpoint.host)}
    for process in Path("/proc").glob("[0-9]*"):
        if inodes & _socket_inodes(process):
            try:
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
            except OSError:
                return f"pid {process.name}"
    return None


def _overlap(one: str, other: str) -> bool:
    return one == other or {one, other} & {"::", "0.0.0.0"} != set()


def _listening_on(port: int, protocol: str, state: str) -> list[tuple[str, str]]:
    """(inode, address) of the sockets of this network namespace that listen on a port."""
    found = []
    for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            address, _, port_hex = fields[1].partition(":")
            if fields[3] == state and int(port_hex, 16) == port:
                found.append((fields[9], _address(address)))
    return found


def _listening_at(path: str) -> set[str]:
    """Inodes of the unix sockets of this path."""
    lines = (line.split(maxsplit=7) for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    return {fields[6] for fields in lines if fields[7:] == [path]}


def _address(text: str) -> str:
    """An address as the kernel prints it: 32-bit words in the byte order of the machine."""
    words = [int(word, 16).to_bytes(4, "little") for word in re.findall(r"[0-9A-F]{8}", text)]
    return socket.inet_ntop(socket.AF_INET6 if len(words) == 4 else socket.AF_INET, b"".join(words))


def _socket_inodes(process: Path) -> set[str]:
    inodes = set()
    with contextlib.suppress(OSError):  # another user's process, or one that has just ended
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                inodes.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
    return inodes
