"""Who is where on the LANs of the VIPs, for direct server return: own interfaces, and the servers' MAC addresses.

The kernel's table of neighbours knows them, and its events tell at once when a server has another one. Servers are
asked now and then, by a datagram that nobody waits for, so that the kernel looks for them. The seam to it.
"""

import errno
import json
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import trio

from balancer.kernel.services import Lane, Station
from vrrp.config import VirtualRouterConfig

EVERY_S = 5.0
GATHER_S = 0.05
LIMIT_S = 5.0
_NETLINK_ROUTE, _GROUP_NEIGHBOURS = 0, 1 << 2
_DISCARD_PORT = 9
_NOT_SENT = (
    *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EAGAIN, errno.EPERM, errno.ENOBUFS),
    *(errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EACCES, errno.EINVAL),  # no address of this family; its route
)


class Neighbours:
    """What is known now; `changed` waits for news. Raises OSError where the kernel does not tell."""

    def __init__(self, routers: Sequence[VirtualRouterConfig], servers: Collection[str]) -> None:
        """`servers`: their IP addresses."""
        self._routers, self._servers = routers, servers
        self._events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
        self._events.bind((0, _GROUP_NEIGHBOURS))
        self._events.setblocking(False)

    async def look(self) -> Station:
        """Lanes by VIP, MAC addresses by server."""
        links, neighbours = await _ip("-json", "address", "show"), await _ip("-json", "neighbour", "show")
        return Station(lanes_of(self._routers, links), macs_of(neighbours, self._servers))

    def ask(self) -> None:
        """Have the kernel look for the servers."""
        for server in self._servers:
            family = socket.AF_INET6 if ":" in server else socket.AF_INET
            try:
                with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sock:
                    sock.sendto(b"", (server, _DISCARD_PORT))
            except OSError as error:
                if error.errno not in _NOT_SENT:
                    raise

    async def changed(self) -> None:
        """Until a neighbour came, went or moved; what comes at once after that is one piece of news."""
        await trio.lowlevel.wait_readable(self._events)
        await trio.sleep(GATHER_S)
        while True:
            try:
                self._events.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise

    def close(self) -> None:
        self._events.close()


def lanes_of(routers: Iterable[VirtualRouterConfig], links: Iterable[Mapping[str, Any]]) -> dict[str, Lane]:
    """By VIP, from what `ip -json address show` prints; VIPs whose interface is not there are left out."""
    macs = {link["ifname"]: link["address"] for link in links if link.get("link_type") == "ether"}
    vips = {str(vip) for router in routers for vip in router.all_vips}
    own = {link["ifname"]: tuple(sorted(set(_addresses(link)) - vips)) for link in links}
    return {
        str(vip): Lane(
            router.interface,
            macs[router.interface],
            (macs[router.interface], *_virtual_mac(router)),
            own[router.interface],
        )
        for router in routers
        if router.interface in macs
        for vip in router.all_vips
    }


def _addresses(link: Mapping[str, Any]) -> Iterator[str]:
    return (one["local"] for one in link.get("addr_info", ()) if "local" in one)


def _virtual_mac(router: VirtualRouterConfig) -> tuple[str, ...]:
    return (router.virtual_mac_address.hex(":"),) if router.virtual_mac else ()


def macs_of(neighbours: Iterable[Mapping[str, Any]], servers: Collection[str]) -> dict[str, str]:
    """By IP address, from what `ip -json neighbour show` prints."""
    return {one["dst"]: one["lladdr"] for one in neighbours if "lladdr" in one and one.get("dst") in servers}


async def _ip(*arguments: str) -> list[Mapping[str, Any]]:
    try:
        with trio.fail_after(LIMIT_S):
            run = await trio.run_process(["ip", *arguments], capture_stdout=True, capture_stderr=True, check=False)
    except (FileNotFoundError, trio.TooSlowError):
        return []
    return list(json.loads(run.stdout or b"[]"))
