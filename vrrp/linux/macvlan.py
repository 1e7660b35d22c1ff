"""Virtual interfaces with the virtual MAC address (macvlan), on which the VIPs then stand.

Whatever is written under /proc/sys is of the virtual interface: no setting of the real one is touched.
"""

import errno
import logging
import socket
from collections.abc import Collection, Sequence
from pathlib import Path

from vrrp.config import VirtualRouterConfig
from vrrp.linux.netlink import AddressTable, suppress_errno

log = logging.getLogger(__name__)

_CONF = Path("/proc/sys/net")
_SETTINGS = (
    # Replies leave by the real interface, so a strict check would drop what comes in here. 2 is loose; the kernel takes
    # the higher of this and conf/all, so 0 would not do where conf/all is 1.
    ("ipv4", "rp_filter", "2"),
    ("ipv4", "arp_ignore", "1"),  # answer for the addresses that stand here, and for no others
    ("ipv6", "addr_gen_mode", "1"),  # no address made from the virtual MAC address (RFC 9568 section 8.2.2)
    ("ipv6", "accept_ra", "0"),
    ("ipv6", "autoconf", "0"),
    ("ipv6", "accept_dad", "0"),
    ("ipv6", "dad_transmits", "0"),
)


def name_of(index: int, mac: bytes) -> str:
    """The name of the virtual interface for a virtual MAC address on interface `index`: `vrrp4-51-2`.

    VRID in decimal; then the index in hexadecimal, because two interfaces may both have a virtual router 51. At most 15
    characters, up to index fffff.
    """
    return f"vrrp{_family(mac)}-{mac[5]}-{index:x}"


class VirtualInterfaces:
    """Makes them, switches them on and off, removes them. To be used by the netlink thread alone."""

    def __init__(self) -> None:
        self._made: dict[str, int] = {}

    def prepare(self, table: AddressTable, configs: Sequence[VirtualRouterConfig]) -> None:
        """Make, switched off, what these will need, as far as it can be made by now: a claim is quicker then."""
        for config in configs:
            if not config.virtual_mac:
                continue
            try:
                self._make(table, socket.if_nametoindex(config.interface), config.virtual_mac_address)
            except OSError as error:
                fields = {"router": config.name, "detail": str(error)}
                log.debug("virtual interface not made yet", extra=fields)

    def keep(self, table: AddressTable, configs: Sequence[VirtualRouterConfig]) -> None:
        """Delete what was made and none of these needs. Raises OSError."""
        needed = {
            name_of(index, config.virtual_mac_address)
            for config in configs
            if config.virtual_mac and (index := _index_of(config.interface)) is not None
        }
        for name in self._made.keys() - needed:
            virtual = self._made.pop(name)
            if _index_of(name) == virtual:
                table.delete_link(virtual)

    def switch_on(self, table: AddressTable, index: int, mac: bytes, *, ipv6: bool) -> int:
        """The index of the virtual interface on top of interface `index`, made where there is none. Raises OSError.

        `ipv6`: IPv6 addresses will stand there.
        """
        virtual = self._make(table, index, mac)
        table.switch(virtual, on=True)
        if ipv6:
            table.route_link_local(virtual)
        return virtual

    def switch_off(self, table: AddressTable, index: int, mac: bytes) -> None:
        """Take nothing more that is sent to the virtual MAC address. Raises OSError."""
        virtual = self._made.get(name_of(index, mac))
        if virtual is not None:
            with suppress_errno(errno.ENODEV):
                table.switch(virtual, on=False)

    def remove_all(self, table: AddressTable) -> None:
        """Delete what was made. Raises OSError."""
        for name, virtual in self._made.items():
            if _index_of(name) == virtual:  # else it went with the interface below, and the index may be another's
                table.delete_link(virtual)
        self._made.clear()

    def _make(self, table: AddressTable, index: int, mac: bytes) -> int:
        name = name_of(index, mac)
        standing = _index_of(name)
        if standing is None or standing != self._made.get(name):
            if standing is not None:
                _clear_away(table, standing, mac)
            virtual = table.make_macvlan(name, lower=index, mac=mac)
            _configure(name)
            self._made[name] = virtual
        return self._made[name]


def left_over(table: AddressTable, interfaces: Collection[str]) -> tuple[tuple[str, int], ...]:
    """Name and index of each virtual interface of ours on top of these interfaces."""
    links = table.links()
    indices = {link.index for link in links if link.name in interfaces}
    return tuple((link.name, link.index) for link in links if link.ours and link.lower in indices)


def _clear_away(table: AddressTable, index: int, mac: bytes) -> None:
    """Delete what stands in the way if it is ours: left by a run that crashed, perhaps before it had its alias."""
    link = next((link for link in table.links() if link.index == index), None)
    if link is not None and (link.ours or link.mac == mac):
        table.delete_link(index)


def _configure(name: str) -> None:
    for protocol, setting, value in _SETTINGS:
        folder = _CONF / protocol / "conf" / name
        if protocol == "ipv4" or folder.exists():  # a kernel may do without IPv6
            (folder / setting).write_text(value)


def _index_of(name: str) -> int | None:
    try:
        return socket.if_nametoindex(name)
    except OSError:  # there is no other reason; some versions of Python tell no errno
        return None


def _family(mac: bytes) -> int:
    """The virtual MAC address of an IPv4 router is 00-00-5E-00-01-{VRID}, of an IPv6 router -02- (section 7.3)."""
    return 4 if mac[4] == 1 else 6
