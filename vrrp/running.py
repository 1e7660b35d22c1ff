"""One running virtual router: hands events to the pure machine, carries out its effects, counts what happens."""

import logging
from collections import Counter
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv4Interface

from vrrp.advertisement import Advertisement, AdvertRejected, Datagram, RejectReason, decode, encode
from vrrp.announcements import gratuitous_arp
from vrrp.config import Checksum, VirtualRouterConfig
from vrrp.events import (
    AdvertReceived,
    AnnounceVips,
    ClaimFailed,
    ClaimVips,
    Effect,
    Event,
    ReleaseVips,
    SendAdvertisement,
    StateChanged,
    VipsClaimed,
    VipsRemoved,
)
from vrrp.interfaces import Interface, not_permanent, to_put_on
from vrrp.limitedlog import LimitedLog
from vrrp.ports import AddressOrder, AddressReport, AdvertSocket, Ports
from vrrp.router import VirtualRouter, differences
from vrrp.snapshot import RouterSnapshot

log = logging.getLogger(__name__)

Observer = Callable[[RouterSnapshot], None]


class RunningRouter:
    """The state of one virtual router that is not the machine's: its socket, its VIPs as held, its counters."""

    def __init__(
        self, config: VirtualRouterConfig, *, ports: Ports, all_vips: Collection[IPv4Address], observe: Observer
    ) -> None:
        self.machine = VirtualRouter(config)
        self.config = config
        self.held: tuple[IPv4Interface, ...] = ()
        self.waiting_for: str | None = f"interface {config.interface} to exist"
        self.lateness_max_s = 0.0
        self.socket: AdvertSocket | None = None
        self.interface = Interface(name=config.interface)
        self._ports = ports
        self._all_vips = all_vips
        self._observe = observe
        self._limited = LimitedLog(log)
        self._serial = 0
        self._settled = 0
        self._since = ports.clock.monotonic()
        self._renewed_at: float | None = None
        self._active_router: IPv4Address | None = None
        self._rejected: Counter[str] = Counter()
        self._count: Counter[str] = Counter()
        self._reason = "started"

    @property
    def releasing(self) -> bool:
        """Whether the kernel has yet to confirm that the VIPs are gone."""
        return self.machine.state_name != "Active" and (bool(self.held) or self._settled != self._serial)

    def feed(self, event: Event) -> None:
        """Hand over one event and carry out what it leads to."""
        for effect in self.machine.handle(event, self._ports.clock.monotonic()):
            self._carry_out(effect)

    def wait_for(self, what: str | None) -> None:
        """Note what this router waits for, or will wait for when it is in Initialize."""
        changed, self.waiting_for = what != self.waiting_for, what
        if changed and what is not None and self.machine.state_name == "Initialize":
            self._observe(self.snapshot())

    def receive(self, datagram: Datagram) -> None:
        """Take one packet that names this VRID, or none."""
        try:
            if datagram.source == self.machine.address:
                raise AdvertRejected(RejectReason.OWN_ADDRESS, "another machine sends with our address")
            advertisement, checksum = decode(datagram)
        except AdvertRejected as rejected:
            self.reject(rejected, datagram.source)
            return
        self._accepted(advertisement, checksum, datagram.source)
        self.feed(AdvertReceived(advertisement, datagram.source))

    def reject(self, rejected: AdvertRejected, source: IPv4Address) -> None:
        """Count a packet that was dropped, and say so now and then."""
        self._rejected[rejected.reason.value] += 1
        if rejected.reason is RejectReason.VRID:
            return  # a LAN may well have other virtual routers
        fields = {"router": self.config.name, "source": str(source), "detail": str(rejected)}
        self._limited.warning(rejected.reason.value, "advertisement rejected", fields, now=self._now())

    def address_report(self, report: AddressReport) -> None:
        """Take the news of what became of an order."""
        self._settled = max(self._settled, report.serial)
        if report.error:
            fields = {"router": self.config.name, "detail": report.error}
            self._limited.warning("address", "vip not changed", fields, now=self._now())
        changed = report.held != self.held
        self.held = report.held
        if report.serial == self._serial and self.machine.state_name == "Active":
            self._renewed_at = self._now()
            self.feed(ClaimFailed() if report.error else VipsClaimed())
        if changed:
            self._observe(self.snapshot())

    def addresses_removed(self, gone: Collection[IPv4Address]) -> None:
        """Take the news that addresses went away from the interface."""
        lost = tuple(held for held in self.held if held.ip in gone)
        if not lost or self.machine.state_name != "Active":
            return
        self.held = tuple(held for held in self.held if held not in lost)
        self._count["vips_restored"] += len(lost)
        log.warning("vip removed by someone else", extra={"router": self.config.name, "vips": list(map(str, lost))})
        self.feed(VipsRemoved())

    def snapshot(self) -> RouterSnapshot:
        """What can be seen of it now."""
        config, machine = self.config, self.machine
        return RouterSnapshot(
            name=config.name,
            vrid=config.vrid,
            interface=config.interface,
            state=machine.state_name,
            priority=machine.priority,
            configured_priority=config.priority,
            since_monotonic=self._since,
            waiting_for=self.waiting_for if machine.state_name == "Initialize" else None,
            vips=tuple(map(str, config.vips)),
            vips_held=tuple(map(str, self.held)),
            lease_s=machine.lease_s,
            lease_renewed_at=self._renewed_at,
            active_router=str(self._active_router) if self._active_router else None,
            transitions=self._count["transitions"],
            adverts_sent=self._count["sent"],
            adverts_received=self._count["received"],
            adverts_rejected=dict(self._rejected),
            unusual_checksums=self._count["unusual_checksums"],
            send_errors=self._count["send_errors"],
            vips_restored=self._count["vips_restored"],
            lateness_max_ms=round(self.lateness_max_s * 1000, 3),
            last_reason=self._reason,
        )

    def _accepted(self, advertisement: Advertisement, checksum: Checksum, source: IPv4Address) -> None:
        self._count["received"] += 1
        self._count["unusual_checksums"] += checksum != self.config.checksum
        self._active_router = source
        for difference in differences(self.config, advertisement):
            fields = {"router": self.config.name, "source": str(source), "detail": difference}
            self._limited.warning("difference", "peer is configured otherwise", fields, now=self._now())

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case SendAdvertisement(priority=priority):
                self._send(priority)
            case ClaimVips(lease_s=lease_s):
                self._claim(lease_s)
            case ReleaseVips():
                self._order((), None)
            case AnnounceVips():
                self._announce()
            case StateChanged(state=state, reason=reason):
                self._since, self._reason = self._now(), reason
                self._count["transitions"] += 1
                log.info("state changed", extra={"router": self.config.name, "state": state, "reason": reason})
                self._observe(self.snapshot())

    def _send(self, priority: int) -> None:
        if self.socket is None:
            return
        source = self.machine.address
        payload = encode(self.machine.advertisement(priority), source=source, checksum=self.config.checksum)
        try:
            self.socket.send(payload, source=source)
        except OSError as error:  # what fails for good is told by netlink too: that changes the state, this does not
            self._send_failed("advertisement not sent", error)
        else:
            self._count["sent"] += 1

    def _announce(self) -> None:
        if len(self.interface.mac) != 6:  # a tunnel has no neighbours to tell
            return
        try:
            for vip in self.config.vips:
                self._ports.frames.send(self.interface, gratuitous_arp(vip, self.interface.mac))
        except OSError as error:
            self._send_failed("gratuitous ARP not sent", error)

    def _send_failed(self, what: str, error: OSError) -> None:
        self._count["send_errors"] += 1
        self._limited.warning(what, what, {"router": self.config.name, "detail": str(error)}, now=self._now())

    def _claim(self, lease_s: int | None) -> None:
        wanted = self.config.addresses
        if lease_s is None:
            wanted = not_permanent(wanted, self.interface)
        # A VIP that is held is renewed as it was put on: another prefix length would be a second address.
        held = {address.ip: address for address in self.held}
        fresh = to_put_on(wanted, self.interface, all_vips=self._all_vips)
        self._order(tuple(held.get(address.ip, address) for address in fresh), lease_s)

    def _order(self, addresses: tuple[IPv4Interface, ...], lease_s: int | None) -> None:
        self._serial += 1
        self._ports.addresses.submit(
            AddressOrder(
                router=self.config.name,
                serial=self._serial,
                interface=self.config.interface,
                index=self.interface.index,
                addresses=addresses,
                lease_s=lease_s,
                not_after=self._ports.clock.boottime() + (lease_s or 1),
            )
        )

    def _now(self) -> float:
        return self._ports.clock.monotonic()
