"""The Linux seams: raw and packet sockets, netlink. `open_ports` opens what a `vrrp.runner.Runner` needs."""

import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import trio

from vrrp.config import Address, VirtualRouterConfig
from vrrp.linux.addresses import KernelAddresses
from vrrp.linux.fencing import Fencing
from vrrp.linux.linkwatch import LinkWatch
from vrrp.linux.macvlan import left_over
from vrrp.linux.netlink import AddressTable, NetlinkThread
from vrrp.linux.packetsock import PacketSender
from vrrp.linux.rawsock import RawAdvertSockets
from vrrp.linux.witness import LanWitnesses
from vrrp.ports import Ports

log = logging.getLogger(__name__)

_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}
_CLOSE_LIMIT_S = 1.0


class KernelClock:
    """The kernel's clocks."""

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def boottime(self) -> float:
        """CLOCK_BOOTTIME in seconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


@asynccontextmanager
async def open_ports(
    configs: Sequence[VirtualRouterConfig],
    *,
    watched: Collection[str] = (),
    witnesses: Mapping[str, tuple[Address, ...]] | None = None,
) -> AsyncIterator[Ports]:
    """Open everything; first remove what a run of us which crashed has left on these interfaces.

    `watched`: further interfaces to tell of, which carry no virtual router. `witnesses`: whom to ask, by interface.
    Raises PermissionError with a line that says what to do.
    """
    require_capabilities()
    interfaces = {config.interface for config in configs}
    owned = {vip for config in configs if config.owner for vip in config.all_vips}
    async with AsyncExitStack() as stack:
        frames = PacketSender()
        stack.callback(frames.close)
        thread = NetlinkThread()
        stack.push_async_callback(thread.close, limit_s=_CLOSE_LIMIT_S)
        watch = LinkWatch(interfaces | set(watched), thread=thread)
        stack.callback(watch.close)
        await watch.listen()
        fencing = Fencing(configs)
        stack.callback(_submit, thread, "fence", fencing.remove)
        addresses = KernelAddresses(thread, fencing)
        stack.callback(addresses.close)
        await thread.call("left over", lambda table: remove_left_over(table, interfaces, keep=owned))
        await thread.call("prepare", lambda table: addresses.virtual.prepare(table, configs))
        await thread.call("fence", lambda _: fencing.build())
        asked = LanWitnesses(witnesses)
        stack.callback(asked.close)
        guard = await stack.enter_async_context(trio.open_nursery())
        stack.callback(guard.cancel_scope.cancel)

        def stand_guard() -> None:
            if fencing.is_unguarded:
                guard.start_soon(fencing.stand_guard, partial(_submit, thread, "fence", fencing.mend))

        stand_guard()
        addresses.on_expected = stand_guard
        yield Ports(
            clock=KernelClock(),
            adverts=RawAdvertSockets(),
            frames=frames,
            interfaces=watch,
            addresses=addresses,
            witnesses=asked,
        )


def _submit(thread: NetlinkThread, key: str, job: Callable[[], None]) -> None:
    thread.submit(key, lambda _: job(), done=_nothing, failed=_raise)


def _nothing(_: None) -> None:
    pass


def _raise(error: Exception) -> None:
    raise error


def remove_left_over(table: AddressTable, interfaces: Collection[str], *, keep: Collection[Address]) -> None:
    """Remove our virtual interfaces on top of these, and the addresses with our tag on them, but for those to keep."""
    for name, index in left_over(table, interfaces):
        table.delete_link(index)
        log.warning("left-over virtual interface removed", extra={"interface": name})
    for interface, index, address in table.tagged(interfaces):
        if address.ip not in keep:
            table.remove(index, address)
            log.warning("left-over vip removed", extra={"interface": interface, "vip": str(address)})


def require_capabilities() -> None:
    """Raise PermissionError where VRRP cannot work without more privileges."""
    with open("/proc/self/status") as status:
        effective = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if missing:
        raise PermissionError(
            f"VRRP needs {' and '.join(missing)}, which user {os.geteuid()} lacks here: run it as root, "
            f"or by systemd with AmbientCapabilities={' '.join(_CAPABILITIES)}"
        )
