"""Ends the flows of servers that are DOWN: both ends are made to speak, are reset, and the kernel forgets the flow.

The rules answer every packet of such a flow with a reset (balancer.kernel.ruleset); but an end that only waits for data
sends none, and would wait for long. The seam to raw IP sockets.
"""

import errno
import logging
import socket
from collections.abc import Collection, Iterable, Iterator, Sequence
from ipaddress import ip_address

import trio

from balancer.fieldtypes import Endpoint
from balancer.kernel import ctnetlink
from balancer.kernel.conntrack import TCP, UDP, Flow
from balancer.kernel.pokes import Poke, pokes
from balancer.kernel.ruleset import POKE_MARK
from balancer.kernel.services import Service

log = logging.getLogger(__name__)

PATIENCE_S = 1.0
"""From the question to when the answer must have come: then the kernel forgets the flow."""
_SO_MARK = 36
_UNREACHABLE = (
    *(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL),
    *(errno.EACCES, errno.EPERM, errno.ENOBUFS, errno.EINVAL),
)


async def cut(servers: Sequence[tuple[Service, Endpoint]], *, active: Collection[str]) -> int:
    """End every flow of these servers that comes through this node; how many there were.

    Flows of a frontend that is on the other node are known here to be taken over, and are for that one to judge: a
    node that has lost its cable finds every server DOWN.
    """
    here = [(service, server) for service, server in servers if service.frontend in active]
    if not here:
        return 0
    try:
        flows = await trio.to_thread.run_sync(lambda: [flow for _, flow in flows_of(here)])
        await _forget(flow for flow in flows if flow.protocol == UDP)  # there is nobody to be told
        if streams := [flow for flow in flows if flow.protocol == TCP]:
            await trio.to_thread.run_sync(send, [poke for flow in streams for poke in pokes(flow)])
            await trio.sleep(PATIENCE_S)
            await _forget(streams)
    except OSError as error:
        log.warning("flows of a server that is DOWN were not cut", extra={"detail": error.strerror})
        return 0
    return len(flows)


async def _forget(flows: Iterable[Flow]) -> None:
    if keys := [flow.key for flow in flows]:
        await trio.to_thread.run_sync(ctnetlink.delete, keys)


def flows_of(servers: Sequence[tuple[Service, Endpoint]]) -> Iterator[tuple[Service, Flow]]:
    """The flows that this machine knows of."""
    for is_ipv6 in sorted({service.is_ipv6 for service, _ in servers}):
        known = list(ctnetlink.flows(is_ipv6=is_ipv6))
        for service, endpoint in servers:
            if service.is_ipv6 == is_ipv6:
                yield from ((service, flow) for flow in known if belongs(flow, service, endpoint))


def belongs(flow: Flow, service: Service, server: Endpoint) -> bool:
    """Whether a flow is one of this service to this server."""
    return (
        flow.protocol == (TCP if service.protocol == "tcp" else UDP)
        and flow.server_port in server.all_ports
        and flow.server == ip_address(server.host).packed
        and any(flow.vip_port in one.all_ports and flow.vip == ip_address(one.host).packed for one in service.listen)
    )


def send(packets: Iterable[Poke]) -> None:
    """One that cannot be sent is as good as lost on the way. Raises OSError (EPERM: without CAP_NET_RAW)."""
    known = list(packets)
    for family, own in ((socket.AF_INET, False), (socket.AF_INET6, True)):
        if chosen := [one for one in known if (":" in one.to) == own]:
            _send_all(family, chosen)


def _send_all(family: socket.AddressFamily, packets: Sequence[Poke]) -> None:
    with socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, POKE_MARK)
        for packet, to in packets:
            try:
                sock.sendto(packet, (to, 0))
            except OSError as error:
                if error.errno not in _UNREACHABLE:
                    raise
