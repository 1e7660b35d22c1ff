"""One running virtual router: hands events to the pure machine, carries out its effects, counts what happens."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from vrrp.advertisement import (
    Advertisement,
    AdvertRejected,
    Datagram,
    RejectReason,
    check_way,
    decode,
    differences,
    encode,
    group_of,
    is_unusual,
    refusal,
)
from vrrp.announcements import advert_frame, announcement
from vrrp.authentication import Verifier
from vrrp.config import Address, Checksum, Vip, VirtualRouterConfig
from vrrp.events import (
    AdvertReceived,
    AnnounceVips,
    AskWitness,
    ClaimFailed,
    ClaimVips,
    DeadlineReached,
    Effect,
    Event,
    Reconfigured,
    ReleaseVips,
    SendAdvertisement,
    StateChanged,
    StateName,
    VipsClaimed,
    VipsRemoved,
    WantsActive,
)
from vrrp.interfaces import Interface, not_permanent, to_put_on
from vrrp.lateness import Lateness
from vrrp.limitedlog import LimitedLog
from vrrp.ports import AddressOrder, AddressReport, AdvertSocket, Ports
from vrrp.router import VirtualRouter
from vrrp.snapshot import RouterSnapshot

log = logging.getLogger(__name__)

Observer = Callable[[RouterSnapshot], None]
Recorder = Callable[[str, float, Event, Sequence[Effect]], None]
"""Called with a router's name, the instant, an event and the effects that came of it. Must not block."""


class Sign(Protocol):
    """Signs advertisements: `vrrp.authentication.Signer`."""

    def sign(self, payload: bytes, source: Address) -> bytes:
        """The payload with its signature behind it."""


class Company(Protocol):
    """Whom a router's steps concern: the peer at the other end of the liveness link, and the rest of its group."""

    def advertised(self, router: "RunningRouter", payload: bytes) -> None:
        """An unsigned advertisement to the group address was made."""

    def wants_active(self, router: "RunningRouter") -> None:
        """See `vrrp.events.WantsActive`."""

    def state_changed(self, router: "RunningRouter", reason: str) -> None:
        """It has another state now."""


class RunningRouter:
    """The state of one virtual router that is not the machine's: its socket, its VIPs as held, its counters."""

    def __init__(
        self,
        config: VirtualRouterConfig,
        *,
        ports: Ports,
        all_vips: Collection[Address],
        observe: Observer,
        company: Company,
        signer: Sign | None = None,
        verifier: Verifier | None = None,
        record: Recorder | None = None,
    ) -> None:
        self.machine = VirtualRouter(config)
        self.config = config
        self.held: tuple[Vip, ...] = ()
        self.waiting_for: str | None = f"interface {config.interface} to exist"
        self.former_state: StateName = "Initialize"
        """Before the last event."""
        self.gates: dict[str, str] = {}
        """Closed ones, by name, and why."""
        self.lateness_max_s = 0.0
        self.lateness = Lateness()
        """Of adverts."""
        self.socket: AdvertSocket | None = None
        self.interface = Interface(name=config.interface)
        self._ports = ports
        self._all_vips = all_vips
        self._observe = observe
        self._company = company
        self._signer = signer
        self._verifier = verifier
        self._record = record
        self._limited = LimitedLog(log)
        self._serial = 0
        self._settled = 0
        self._since = ports.clock.monotonic()
        self._renewed_at: float | None = None
        self._active_router: Address | None = None
        self._rejected: Counter[str] = Counter()
        self._count: Counter[str] = Counter()
        self._reason = "started"
        self._afresh = False

    @property
    def releasing(self) -> bool:
        """Whether the kernel has yet to confirm that the VIPs are gone."""
        return self.machine.state_name != "Active" and (bool(self.held) or self._settled != self._serial)

    def feed(self, event: Event) -> None:
        """Hand over one event and carry out what it leads to."""
        now, self.former_state = self._ports.clock.monotonic(), self.machine.state_name
        effects = self.machine.handle(event, now)
        if self._record is not None:
            self._record(self.config.name, now, event, effects)
        for effect in effects:
            self._carry_out(effect)

    def reconfigure(
        self,
        config: VirtualRouterConfig,
        priority: int,
        all_vips: Collection[Address],
        *,
        signer: Sign | None,
        verifier: Verifier | None,
    ) -> None:
        """Go on with another configuration of the same virtual router, with this effective priority."""
        self._afresh = config.all_addresses != self.config.all_addresses
        self.config, self._all_vips = config, all_vips
        self._signer, self._verifier = signer, verifier
        self.feed(Reconfigured(config, priority))
        self._afresh = False

    def follow_on(self, former: "RunningRouter") -> None:
        """Count orders on from another router of this name, which has left: reports of its orders may still come."""
        self._serial = self._settled = former._serial

    def come_due(self, now: float) -> None:
        """Its deadline has passed: an Active Router's is that of its next advert."""
        if self.machine.state_name == "Active":
            self.lateness.add(now - self.machine.deadline)
        self.feed(DeadlineReached())

    def wait_for(self, what: str | None) -> None:
        """Note what this router waits for, or will wait for when it is in Initialize."""
        if self.gates:
            what = f"resume, after: {'; '.join(self.gates.values())}"
        changed, self.waiting_for = what != self.waiting_for, what
        if changed and what is not None and self.machine.state_name == "Initialize":
            self._observe(self.snapshot())

    def receive(self, datagram: Datagram) -> None:
        """Take one packet that names this VRID, or none."""
        config = self.config
        try:
            if datagram.source == self.machine.address:
                raise AdvertRejected(RejectReason.OWN_ADDRESS, "another machine sends with our address")
            payload = datagram.payload if self._verifier is None else self._verified(datagram)
            bare = datagram if payload is datagram.payload else _with_payload(datagram, payload)
            decoded = decode(bare, version=config.version, password=config.password, peers=config.peers)
            if (refused := refusal(config, decoded[0])) is not None:
                raise refused
        except AdvertRejected as rejected:
            self.reject(rejected, datagram.source)
            return
        self._accepted(*decoded, datagram.source)

    def receive_by_link(self, source: Address, payload: bytes) -> None:
        """Take an advertisement that came by the liveness link, which has vouched for it."""
        destination = group_of(self.config.family)
        try:
            decoded = decode(
                Datagram(payload, source, destination, 255), version=self.config.version, password=self.config.password
            )
        except AdvertRejected as rejected:
            self.reject(rejected, source)
            return
        self._accepted(*decoded, source)

    def reject(self, rejected: AdvertRejected, source: Address) -> None:
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

    def addresses_removed(self, gone: Collection[Address]) -> None:
        """Take the news that addresses went away from the interface."""
        ours = self.config.all_vips
        lost = tuple(held for held in self.held if held.ip in gone and held.ip in ours)
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
            version=config.version,
            group=config.group,
            state=machine.state_name,
            priority=machine.priority,
            configured_priority=config.priority,
            stays_backup=machine.stays_backup,
            since_monotonic=self._since,
            waiting_for=self.waiting_for if machine.state_name == "Initialize" else None,
            vips=tuple(map(str, config.all_vips)),
            vips_held=tuple(map(str, self.held)),
            lease_s=machine.lease_s,
            lease_renewed_at=self._renewed_at,
            active_router=str(self._active_router) if self._active_router else None,
            transitions=self._count["transitions"],
            adverts_sent=self._count["sent"],
            adverts_received=self._count["received"],
            adverts_rejected=dict(self._rejected),
            adverts_unsigned=self._count["unsigned"],
            unusual_checksums=self._count["unusual_checksums"],
            send_errors=self._count["send_errors"],
            vips_restored=self._count["vips_restored"],
            lateness_max_ms=round(self.lateness_max_s * 1000, 3),
            last_reason=self._reason,
            lateness_counts=tuple(self.lateness.counts),
            lateness_sum_s=round(self.lateness.sum_s, 6),
        )

    def _verified(self, datagram: Datagram) -> bytes:
        assert self._verifier is not None
        check_way(datagram, self.config.peers)  # a copy that took another way must not use the signature up
        payload = self._verifier.verify(datagram.payload, datagram.source)
        self._count["unsigned"] += len(payload) == len(datagram.payload)
        return payload

    def _accepted(self, advertisement: Advertisement, checksum: Checksum, source: Address) -> None:
        self._count["received"] += 1
        self._count["unusual_checksums"] += is_unusual(self.config, checksum)
        self._active_router = source
        for difference in differences(self.config, advertisement):
            fields = {"router": self.config.name, "source": str(source), "detail": difference}
            self._limited.warning("difference", "peer is configured otherwise", fields, now=self._now())
        self.feed(AdvertReceived(advertisement, source))

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
            case AskWitness():
                if self._ports.witnesses is not None:
                    self._ports.witnesses.ask(self.interface, self.machine.address)
            case WantsActive():
                self._company.wants_active(self)
            case StateChanged(state=state, reason=reason):
                self._since, self._reason = self._now(), reason
                self._count["transitions"] += 1
                log.info("state changed", extra={"router": self.config.name, "state": state, "reason": reason})
                self._observe(self.snapshot())
                self._company.state_changed(self, reason)

    def _send(self, priority: int) -> None:
        if self.socket is None:
            return
        source, group = self.machine.address, group_of(self.config.family)
        bare = self._encoded(priority, group)
        try:
            for destination in self.config.peers or (group,):
                payload = bare if destination == group else self._encoded(priority, destination)
                self._put_on_wire(payload if self._signer is None else self._signer.sign(payload, source), destination)
        except OSError as error:  # what fails for good is told by netlink too: that changes the state, this does not
            self._send_failed("advertisement not sent", error)
        else:
            self._count["sent"] += 1
        self._company.advertised(self, bare)

    def _encoded(self, priority: int, destination: Address) -> bytes:
        return encode(
            self.machine.advertisement(priority),
            source=self.machine.address,
            destination=destination,
            checksum=self.config.checksum,
            version=self.config.version,
            password=self.config.password,
        )

    def _put_on_wire(self, payload: bytes, destination: Address) -> None:
        source = self.machine.address
        if self.config.virtual_mac and not self.config.peers:  # RFC 9568 section 7.3
            frame = advert_frame(payload, source, destination, self.config.virtual_mac_address)
            self._ports.frames.send(self.interface, frame)
            return
        assert self.socket is not None
        self.socket.send(payload, source=source, destination=destination)

    def _announce(self) -> None:
        mac = self.config.virtual_mac_address if self.config.virtual_mac else self.interface.mac
        if len(mac) != 6:  # a tunnel has no neighbours to tell
            return
        try:
            for vip in self.config.all_vips:
                self._ports.frames.send(self.interface, announcement(vip, mac))
        except OSError as error:
            self._send_failed("announcement not sent", error)

    def _send_failed(self, what: str, error: OSError) -> None:
        self._count["send_errors"] += 1
        self._limited.warning(what, what, {"router": self.config.name, "detail": str(error)}, now=self._now())

    def _claim(self, lease_s: int | None) -> None:
        wanted = self.config.all_addresses
        if lease_s is None:
            wanted = not_permanent(wanted, self.interface)
        # A VIP that is held is renewed as it was put on: another prefix length would be a second address.
        held = {} if self._afresh else {address.ip: address for address in self.held}
        fresh = to_put_on(wanted, self.interface, all_vips=self._all_vips)
        self._order(tuple(held.get(address.ip, address) for address in fresh), lease_s)

    def _order(self, addresses: tuple[Vip, ...], lease_s: int | None) -> None:
        self._serial += 1
        self._ports.addresses.submit(
            AddressOrder(
                router=self.config.name,
                serial=self._serial,
                interface=self.config.interface,
                index=self.interface.index,
                addresses=addresses,
                lease_s=lease_s,
                virtual_mac=self.config.virtual_mac_address if self.config.virtual_mac else None,
                accept=self.config.accept,
                not_after=self._ports.clock.boottime() + (lease_s or 1),
            )
        )

    def _now(self) -> float:
        return self._ports.clock.monotonic()


def _with_payload(datagram: Datagram, payload: bytes) -> Datagram:
    return Datagram(payload, datagram.source, datagram.destination, datagram.ttl)
