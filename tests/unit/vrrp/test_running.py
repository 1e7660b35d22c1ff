"""One running router: what it makes of reports about its VIPs. Time stands still, the kernel answers when told to."""

import json
from dataclasses import asdict
from ipaddress import IPv4Address, IPv4Interface

import pytest

from vrrp.authentication import Verifier
from vrrp.config import VirtualRouterConfig
from vrrp.events import (
    ClaimVips,
    DeadlineReached,
    GroupReady,
    InterfaceReady,
    SendAdvertisement,
    Shutdown,
    StateChanged,
)
from vrrp.interfaces import HeldAddress, Interface
from vrrp.ports import AddressReport, Ports
from vrrp.running import RunningRouter

OWN = IPv4Interface("192.0.2.1/24")
VIP = IPv4Interface("192.0.2.10/32")
ETH0 = Interface(name="eth0", index=2, up=True, mac=b"\x02\0\0\0\0\x0a", addresses=(HeldAddress(OWN),))


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now

    def boottime(self):
        return self.now + 5000


class World:
    """Remembers, in order, what it was asked for."""

    def __init__(self):
        self.asked = []
        self.orders = []
        self.payloads = []
        self.frames = []
        self.by_link = []
        self.news = []
        self.error = None

    def submit(self, order):
        self.orders.append(order)
        self.asked.append(("hold", *map(str, order.addresses)) if order.addresses else ("release",))

    def send(self, first, frame=None, *, source=None, destination=None):
        """An advertisement from a socket, or a frame."""
        if self.error:
            raise self.error
        if source is None:
            self.frames.append(frame)
            self.asked.append(("frame", first.name))
        else:
            self.payloads.append((first, str(source), str(destination)))
            self.asked.append(("advert", first[2]))

    def advertised(self, router, payload):
        self.by_link.append((router.config.name, payload))

    def wants_active(self, router):
        self.asked.append(("wants active", router.config.name))

    def state_changed(self, router, reason):
        self.news.append((router.machine.state_name, reason))


@pytest.fixture
def world():
    return World()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def seen():
    return []


@pytest.fixture
def router(world, clock, seen):
    return make(world, clock, seen.append)


def make(world, clock, observe=lambda snapshot: None, *, signer=None, verifier=None, record=None, **changes):
    values = {
        "name": "lan",
        "vrid": 51,
        "interface": "eth0",
        "addresses": (IPv4Interface("192.0.2.10/24"),),
        "advertisement_interval_cs": 10,
    }
    router = RunningRouter(
        VirtualRouterConfig(**(values | changes)),
        ports=Ports(clock=clock, adverts=None, frames=world, interfaces=None, addresses=world),
        all_vips={VIP.ip},
        observe=observe,
        company=world,
        signer=signer,
        verifier=verifier,
        record=record,
    )
    router.interface, router.socket = ETH0, world
    return router


@pytest.fixture
def active(router, clock):
    router.feed(InterfaceReady(IPv4Address("192.0.2.1")))
    clock.now += 1
    router.feed(DeadlineReached())
    return router


def report(serial, *held, error=None):
    return AddressReport(router="lan", serial=serial, held=held, error=error)


def test_rule_26_advert_then_claim_then_announcement(active, world):
    assert world.asked == [("advert", 100), ("hold", "192.0.2.10/32")]
    active.address_report(report(1, VIP))
    assert world.asked[2:] == [("frame", "eth0")]


def test_an_order_says_for_how_long_and_until_when(active, world):
    (order,) = world.orders
    assert (order.router, order.interface, order.index, order.lease_s) == ("lan", "eth0", 2, 1)
    assert order.not_after == 5102.0  # CLOCK_BOOTTIME 5101, and the lease


def test_a_report_of_an_older_order_is_not_a_claim(active, world, clock):
    active.feed(Shutdown("asked to"))
    active.feed(InterfaceReady(IPv4Address("192.0.2.1")))
    clock.now += 1
    active.feed(DeadlineReached())
    del world.asked[:]
    active.address_report(report(1, VIP))
    assert world.asked == []
    active.address_report(report(3, VIP))
    assert world.asked == [("frame", "eth0")]


def test_releasing_until_the_newest_order_is_reported(active):
    active.address_report(report(1, VIP))
    assert not active.releasing
    active.feed(Shutdown("asked to"))
    assert active.releasing
    active.address_report(report(1, VIP))
    assert active.releasing
    active.address_report(report(2))
    assert not active.releasing


def test_rule_30_priority_0_goes_out_before_the_release(active, world):
    active.address_report(report(1, VIP))
    del world.asked[:]
    active.feed(Shutdown("asked to"))
    assert world.asked == [("advert", 0), ("release",)]


def test_removed_by_someone_else(active, world):
    active.address_report(report(1, VIP))
    del world.asked[:]
    active.addresses_removed({IPv4Address("192.0.2.77")})
    assert world.asked == []
    active.addresses_removed({VIP.ip})
    assert world.asked == [("hold", "192.0.2.10/32")]
    assert (active.snapshot().vips_restored, active.snapshot().vips_held) == (1, ())


def test_a_vip_that_was_put_on_with_its_prefix_is_renewed_with_it(active, world, clock):
    wide = IPv4Interface("192.0.2.10/24")
    active.address_report(report(1, wide))  # when the interface had no address in that subnet
    clock.now += 0.25
    active.feed(DeadlineReached())
    assert ("hold", "192.0.2.10/24") in world.asked[-2:]


def test_a_failing_interface_is_counted_and_survived(active, world, clock):
    world.error = OSError(100, "Network is down")
    active.address_report(report(1, VIP))
    clock.now += 0.1
    active.feed(DeadlineReached())
    assert active.snapshot().send_errors == 3
    assert active.snapshot().state == "Active"


def test_no_announcement_where_there_are_no_mac_addresses(active, world):
    active.interface = Interface(name="tun0", index=2, up=True)
    active.address_report(report(1, VIP))
    assert ("frame", "tun0") not in world.asked


def test_observed_at_transitions_and_when_what_is_held_changes(active, seen):
    active.address_report(report(1, VIP))
    active.address_report(report(1, VIP))
    assert [(snapshot.state, snapshot.vips_held) for snapshot in seen] == [
        ("Backup", ()),
        ("Active", ()),
        ("Active", ("192.0.2.10/32",)),
    ]


def test_snapshot_can_be_sent_as_json(active):
    active.address_report(report(1, VIP))
    assert json.loads(json.dumps(asdict(active.snapshot()))) == {
        "name": "lan",
        "vrid": 51,
        "interface": "eth0",
        "version": 3,
        "group": None,
        "state": "Active",
        "priority": 100,
        "configured_priority": 100,
        "stays_backup": False,
        "since_monotonic": 101.0,
        "waiting_for": None,
        "vips": ["192.0.2.10"],
        "vips_held": ["192.0.2.10/32"],
        "lease_s": 1,
        "lease_renewed_at": 101.0,
        "active_router": None,
        "transitions": 2,
        "adverts_sent": 1,
        "adverts_received": 0,
        "adverts_rejected": {},
        "adverts_unsigned": 0,
        "unusual_checksums": 0,
        "send_errors": 0,
        "vips_restored": 0,
        "lateness_max_ms": 0.0,
        "last_reason": "no other router was heard",
        "lateness_counts": [0] * 11,
        "lateness_sum_s": 0.0,
    }


def start(router, clock):
    router.feed(InterfaceReady(IPv4Address("192.0.2.1")))
    clock.now += 1
    router.feed(DeadlineReached())


class Signer:
    """Numbers what it signs."""

    count = 0

    def sign(self, payload, source):
        self.count += 1
        return payload + f" {self.count} from {source}".encode()


def test_rule_1_an_advert_goes_from_our_address_to_the_group(active, world):
    assert [(source, destination) for _, source, destination in world.payloads] == [("192.0.2.1", "224.0.0.18")]


def test_a_copy_for_each_peer_and_the_link(world, clock):
    peers = (IPv4Address("192.0.2.2"), IPv4Address("192.0.2.3"))
    start(make(world, clock, peers=peers, signer=Signer()), clock)
    assert [(source, destination) for _, source, destination in world.payloads] == [
        ("192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "192.0.2.3"),
    ]
    assert [payload[12:] for payload, _, _ in world.payloads] == [b" 1 from 192.0.2.1", b" 2 from 192.0.2.1"]
    # The checksum has the destination in it. The link's copy is as to the group, and unsigned: the link vouches for it.
    assert [payload[:12].hex() for payload, _, _ in world.payloads] == [
        "31336401000a2436c000020a",
        "31336401000a2435c000020a",
    ]
    assert [(name, payload.hex()) for name, payload in world.by_link] == [("lan", "31336401000a0626c000020a")]


def test_rule_2_with_a_virtual_mac_address_the_frame_is_ours(world, clock):
    router = make(world, clock, virtual_mac=True)
    start(router, clock)
    router.address_report(report(1, VIP))
    assert world.payloads == []
    assert [frame[:14].hex() for frame in world.frames] == [
        "01005e000012" + "00005e000133" + "0800",
        "ffffffffffff" + "00005e000133" + "0806",
    ]
    assert router.snapshot().adverts_sent == 1


def test_rule_35_with_a_virtual_mac_address_the_vips_stand_on_it(world, clock):
    """The kernel answers ARP and neighbour solicitations with the MAC address of the interface that a VIP stands on."""
    start(make(world, clock, virtual_mac=True), clock)
    assert world.orders[0].virtual_mac == bytes.fromhex("00005e000133")


@pytest.mark.parametrize("accept", [True, False])
def test_rule_38_accept_mode_goes_with_the_order(world, clock, accept):
    start(make(world, clock, accept=accept), clock)
    assert world.orders[0].accept is accept


def test_what_happens_is_recorded(world, clock):
    recorded = []
    start(make(world, clock, record=lambda *entry: recorded.append(entry)), clock)
    assert recorded == [
        (
            "lan",
            100.0,
            InterfaceReady(IPv4Address("192.0.2.1")),
            (StateChanged("Backup", "eth0 is ready with 192.0.2.1"),),
        ),
        (
            "lan",
            101.0,
            DeadlineReached(),
            (SendAdvertisement(100), ClaimVips(1), StateChanged("Active", "no other router was heard")),
        ),
    ]


def test_a_member_of_a_group_asks_its_company(world, clock):
    router = make(world, clock, group="both")
    start(router, clock)
    assert world.asked == [("wants active", "lan")]
    router.feed(GroupReady())
    assert world.news == [("Backup", "eth0 is ready with 192.0.2.1"), ("Active", "no other router was heard")]


def test_an_advert_by_the_link_needs_no_signature(world, clock):
    router = make(world, clock, authentication="required", verifier=Verifier(bytes(32), "required"))
    router.feed(InterfaceReady(IPv4Address("192.0.2.1")))
    payload = bytes.fromhex("31336401000a0626c000020a")
    router.receive_by_link(IPv4Address("192.0.2.1"), payload)
    assert (router.snapshot().adverts_received, router.snapshot().adverts_rejected) == (1, {})
    router.receive_by_link(IPv4Address("192.0.2.1"), payload[:11])
    assert router.snapshot().adverts_rejected == {"length": 1}
