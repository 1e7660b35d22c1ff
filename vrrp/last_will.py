"""What is left to do for virtual routers whose announcer died: say so, and take their VIPs off.

Used by another process than the one that ran them. Synchronous: it takes a few milliseconds and waits for nobody.
"""

import logging
import socket
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Interface

from vrrp.advertisement import GROUP, RESIGN_PRIORITY, encode
from vrrp.config import VirtualRouterConfig
from vrrp.linux.netlink import AddressTable
from vrrp.linux.rawsock import open_sender, send
from vrrp.router import VirtualRouter

log = logging.getLogger(__name__)

_DISCARD_PORT = 9  # nothing is sent there: a connected socket only has its route and source chosen


class LastWill:
    """Prepared while all is well, because sockets may be hard to come by when it is needed."""

    def __init__(self, configs: Sequence[VirtualRouterConfig]) -> None:
        self._configs = tuple(configs)
        self._interfaces = frozenset(config.interface for config in configs)
        self._senders: dict[str, socket.socket] = {}
        self._table: AddressTable | None = None

    def prepare(self) -> None:
        """Open what can be opened now; an interface that is not there yet is left for later. Cheap when repeated."""
        self._table = self._table or AddressTable()
        for interface in self._interfaces - self._senders.keys():
            try:
                self._senders[interface] = open_sender(interface, socket.if_nametoindex(interface))
            except OSError as error:
                log.debug("no vrrp socket yet", extra={"interface": interface, "detail": str(error)})

    def fire(self, names_active: Collection[str]) -> list[str]:
        """Send priority 0 for these routers at once, and for any other whose VIP is still held; then release.

        Removes every address that carries our tag from the interfaces of all configured routers, and returns what it
        removed, as `10.0.0.100/32 on eth0`. An interface that is gone is passed over.
        """
        for config in self._configs:
            if config.name in names_active:
                self._resign(config)
        self._table = self._table or AddressTable()
        tagged = self._table.tagged(self._interfaces)
        held = {(interface, address.ip) for interface, _, address in tagged}
        for config in self._configs:
            if config.name not in names_active and any((config.interface, vip) in held for vip in config.vips):
                self._resign(config)
        return [f"{address} on {name}" for name, index, address in tagged if _removed(self._table, index, address)]

    def release_all(self) -> list[str]:
        """Clean up after a stop that did not: as `fire`, with no router known to be Active."""
        return self.fire(())

    def close(self) -> None:
        """Close the sockets."""
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()
        if self._table is not None:
            self._table.close()
            self._table = None

    def _resign(self, config: VirtualRouterConfig) -> None:
        try:
            index = socket.if_nametoindex(config.interface)
            source = source_address(config.interface)
            advertisement = VirtualRouter(config).advertisement(RESIGN_PRIORITY)
            payload = encode(advertisement, source=source, checksum=config.checksum)
            self._send(config.interface, index, payload, source)
        except OSError as error:
            log.warning("priority 0 not sent", extra={"router": config.name, "detail": str(error)})

    def _send(self, interface: str, index: int, payload: bytes, source: IPv4Address) -> None:
        sender = self._senders.get(interface)
        if sender is not None:
            try:
                send(sender, payload, source=source, index=index)
            except OSError:  # made for an interface that is not there any more; its name may be again
                sender.close()
                del self._senders[interface]
            else:
                return
        self._senders[interface] = sender = open_sender(interface, index)
        send(sender, payload, source=source, index=index)


def _removed(table: AddressTable, index: int, address: IPv4Interface) -> bool:
    try:
        table.remove(index, address)
    except OSError as error:
        log.warning("vip not removed", extra={"vip": str(address), "detail": str(error)})
        return False
    return True


def source_address(interface: str) -> IPv4Address:
    """The address that the kernel would send VRRP packets from, by this interface. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        probe.connect((str(GROUP), _DISCARD_PORT))
        return IPv4Address(probe.getsockname()[0])
