"""What is left to do for virtual routers whose announcer died: say so, and take their VIPs off.

Used by another process than the one that ran them. Synchronous: it takes a few milliseconds and waits for nobody.
"""

import logging
import socket
from collections.abc import Collection, Sequence
from ipaddress import ip_address
from typing import Literal, Protocol

from vrrp.advertisement import RESIGN_PRIORITY, encode, group_of
from vrrp.announcements import advert_frame
from vrrp.config import Address, Vip, VirtualRouterConfig
from vrrp.interfaces import Interface
from vrrp.linux.macvlan import left_over
from vrrp.linux.netlink import AddressTable
from vrrp.linux.packetsock import PacketSender
from vrrp.linux.rawsock import open_sender, send
from vrrp.router import VirtualRouter

log = logging.getLogger(__name__)

_DISCARD_PORT = 9  # nothing is sent there: a connected socket only has its route and source chosen


class Signer(Protocol):
    """Signs what is sent."""

    def sign(self, payload: bytes, source: Address) -> bytes:
        """The payload with its signature. Each copy that is sent needs one of its own."""


class LastWill:
    """Prepared while all is well, because sockets may be hard to come by when it is needed."""

    def __init__(self, configs: Sequence[VirtualRouterConfig], signer: Signer | None = None) -> None:
        self._configs = tuple(configs)
        self._signer = signer
        self._interfaces = frozenset(config.interface for config in configs)
        self._senders: dict[tuple[str, Literal[4, 6]], socket.socket] = {}
        self._frames: PacketSender | None = None
        self._table: AddressTable | None = None

    def sign_with(self, signer: Signer | None) -> None:
        """Sign what is sent for the announcer that runs now; None: do not."""
        self._signer = signer

    def prepare(self) -> None:
        """Open what can be opened now; an interface that is not there yet is left for later. Cheap when repeated."""
        self._table = self._table or AddressTable()
        if any(_in_frames(config) for config in self._configs):
            self._frames = self._frames or PacketSender()
        wanted = {(config.interface, config.family) for config in self._configs if not _in_frames(config)}
        for interface, family in wanted - self._senders.keys():
            try:
                self._open(interface, family)
            except OSError as error:
                log.debug("no vrrp socket yet", extra={"interface": interface, "detail": str(error)})

    def fire(self, names_active: Collection[str]) -> list[str]:
        """Send priority 0 for these routers at once, and for any other whose VIP is still held; then release.

        Removes every address that carries our tag from the interfaces of all configured routers, and every virtual
        interface of ours on top of them. Returns the addresses that it removed, as `10.0.0.100/32 on eth0`. An
        interface that is gone is passed over.
        """
        for config in self._configs:
            if config.name in names_active:
                self._resign(config)
        self._table = table = self._table or AddressTable()
        tagged = table.tagged(self._interfaces)
        held = {(interface, address.ip) for interface, _, address in tagged}
        for config in self._configs:
            if config.name not in names_active and any((config.interface, vip) in held for vip in config.all_vips):
                self._resign(config)
        gone = [f"{address} on {name}" for name, index, address in tagged if _removed(table, index, address)]
        _remove_virtual_interfaces(table, self._interfaces)
        return gone

    def release_all(self) -> list[str]:
        """Clean up after a stop that did not: as `fire`, with no router known to be Active."""
        return self.fire(())

    def close(self) -> None:
        """Close the sockets."""
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()
        if self._frames is not None:
            self._frames.close()
            self._frames = None
        if self._table is not None:
            self._table.close()
            self._table = None

    def _resign(self, config: VirtualRouterConfig) -> None:
        group = group_of(config.family)
        try:
            source = config.source or source_address(config.interface, config.family)
        except OSError as error:
            log.warning("priority 0 not sent", extra={"router": config.name, "detail": str(error)})
            return
        for destination in config.peers or (group,):
            try:
                self._send(config, self._payload(config, source, destination), source, destination)
            except OSError as error:
                fields = {"router": config.name, "destination": str(destination), "detail": str(error)}
                log.warning("priority 0 not sent", extra=fields)

    def _payload(self, config: VirtualRouterConfig, source: Address, destination: Address) -> bytes:
        payload = encode(
            VirtualRouter(config).advertisement(RESIGN_PRIORITY),
            source=source,
            destination=destination,
            checksum=config.checksum,
            version=config.version,
            password=config.password,
        )
        return payload if self._signer is None else self._signer.sign(payload, source)

    def _send(self, config: VirtualRouterConfig, payload: bytes, source: Address, destination: Address) -> None:
        if _in_frames(config):
            self._frames = self._frames or PacketSender()
            frame = advert_frame(payload, source, destination, config.virtual_mac_address)
            self._frames.send(Interface(name=config.interface), frame)
            return
        place, index = (config.interface, config.family), socket.if_nametoindex(config.interface)
        sender = self._senders.get(place)
        if sender is not None:
            try:
                send(sender, payload, source=source, destination=destination, index=index)
            except OSError:  # made for an interface that is not there any more; its name may be again
                self._senders.pop(place).close()
            else:
                return
        send(self._open(*place), payload, source=source, destination=destination, index=index)

    def _open(self, interface: str, family: Literal[4, 6]) -> socket.socket:
        sender = open_sender(interface, socket.if_nametoindex(interface), family)
        self._senders[interface, family] = sender
        return sender


def _in_frames(config: VirtualRouterConfig) -> bool:
    """Whether its advertisements are sent as Ethernet frames from the virtual MAC address."""
    return config.virtual_mac and not config.peers


def _removed(table: AddressTable, index: int, address: Vip) -> bool:
    try:
        table.remove(index, address)
    except OSError as error:
        log.warning("vip not removed", extra={"vip": str(address), "detail": str(error)})
        return False
    return True


def _remove_virtual_interfaces(table: AddressTable, interfaces: Collection[str]) -> None:
    for name, index in left_over(table, interfaces):
        try:
            table.delete_link(index)
        except OSError as error:
            log.warning("virtual interface not removed", extra={"interface": name, "detail": str(error)})


def source_address(interface: str, family: Literal[4, 6] = 4) -> Address:
    """The address that the kernel would send VRRP packets from, by this interface. Raises OSError."""
    group, index = str(group_of(family)), socket.if_nametoindex(interface)
    with socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        probe.connect((group, _DISCARD_PORT) if family == 4 else (group, _DISCARD_PORT, 0, index))
        return ip_address(probe.getsockname()[0].partition("%")[0])
