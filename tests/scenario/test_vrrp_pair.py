"""Two and three nodes on a fake LAN. Adverts every 100 ms; priorities 200 and 100 unless said otherwise.

Active_Down_Interval is 0.321875 s with priority 200 and 0.3609375 s with 100; Skew_Time 0.0609375 s with 100. The LAN
takes 1 ms, the kernel 0.5 ms for an address.
"""

import logging
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv4Interface

import pytest
import trio

from vrrp.config import VirtualRouterConfig
from vrrp.runner import Runner
from vrrp.testing import FakeLan, FakeNode

VIP = "192.0.2.10/32"


def config(**changes):
    values = {
        "name": "lan",
        "vrid": 51,
        "interface": "eth0",
        "addresses": (IPv4Interface("192.0.2.10/24"),),
        "advertisement_interval_cs": 10,
    }
    return VirtualRouterConfig(**(values | changes))


class Machine:
    """A node and what was seen of its virtual routers."""

    def __init__(self, lan, name, address, *configs):
        self.node = FakeNode(lan, name, address)
        self.history = []
        self.runner = Runner(configs, ports=self.node.ports, observe=self._observe)
        self.scope = trio.CancelScope()

    def _observe(self, snapshot):
        self.history.append((round(trio.current_time(), 6), snapshot))

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED):
        with self.scope:
            await self.runner.run(task_status=task_status)

    def crash(self):
        self.node.crash()
        self.scope.cancel()

    @property
    def router(self):
        return self.runner.snapshot()[0]

    @property
    def state(self):
        return self.router.state

    @property
    def vips(self):
        return [str(address) for address in self.node.vips.held()]

    def transitions(self):
        seen = []
        for at, snapshot in self.history:
            if not seen or seen[-1][1] != snapshot.state:
                seen.append((at, snapshot.state))
        return seen

    def entered(self, state):
        return [at for at, name in self.transitions() if name == state][-1]


@pytest.fixture
def lan():
    return FakeLan()


@pytest.fixture
async def start(nursery):
    async def start(*machines):
        for machine in machines:
            await nursery.start(machine.run)

    yield start
    nursery.cancel_scope.cancel()


@pytest.fixture
async def pair(start, lan):
    """A is Active with priority 200, B is Backup with 100, for two seconds."""
    a = Machine(lan, "a", "192.0.2.1/24", config(priority=200))
    b = Machine(lan, "b", "192.0.2.2/24", config(priority=100))
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    return a, b


def sent(lan, name, since):
    return [payload[2] for at, sender, payload in lan.packets if sender == name and at >= since]


async def test_the_higher_priority_becomes_active(autojump_clock, pair):
    a, b = pair
    assert a.transitions() == [(0.0, "Backup"), (0.321875, "Active")]
    assert b.transitions() == [(0.0, "Backup")]
    assert (a.vips, b.vips) == ([VIP], [])
    assert a.router.last_reason == "no other router was heard"
    assert b.router.active_router == "192.0.2.1"


async def test_announced_five_times_then_after_one_and_five_seconds(autojump_clock, pair, lan):
    await trio.sleep(5)
    claimed_at = 0.321875 + 0.0005
    offsets = [round(at - claimed_at, 4) for at, _, _ in lan.frames]
    assert offsets == [0.0, 0.01, 0.03, 0.06, 0.1, 1.0, 5.0]


async def test_rule_37_nothing_is_announced_before_the_vip_is_there(autojump_clock, start, lan):
    a = Machine(lan, "a", "192.0.2.1/24", config(priority=255))
    a.node.vips.delay_s = 0.3
    await start(a)
    await trio.sleep(1)
    assert lan.packets[0][0] == 0.0
    assert lan.frames[0][0] == pytest.approx(0.3)


async def test_rule_22_an_owner_is_active_at_once_and_holds_its_address_for_good(autojump_clock, start, lan):
    a = Machine(lan, "a", "192.0.2.10/24", config(priority=255))
    await start(a)
    assert a.state == "Active"
    await trio.sleep(1)
    assert a.vips == []  # it was there all along, and stays as it is
    assert a.router.lease_s is None


async def test_crash_of_the_active(autojump_clock, pair):
    a, b = pair
    a.crash()
    crashed_at = trio.current_time()
    await trio.sleep(0.4)
    assert b.state == "Active"
    assert b.vips == [VIP]
    assert b.entered("Active") - crashed_at <= 0.3609375
    assert b.router.last_reason == "192.0.2.1 fell silent"
    await trio.sleep(1)
    assert a.vips == []  # the lease has ended


async def test_crash_of_the_backup_changes_nothing(autojump_clock, pair):
    a, b = pair
    b.crash()
    await trio.sleep(2)
    assert a.state == "Active"
    assert len(a.transitions()) == 2


async def test_resign_hands_over_within_skew_time(autojump_clock, pair, lan):
    a, b = pair
    resigned_at = trio.current_time()
    await a.runner.resign("maintenance")
    assert sent(lan, "a", resigned_at) == [0]
    assert (a.state, a.vips) == ("Initialize", [])
    assert a.router.waiting_for == "resume, after: maintenance"
    await trio.sleep(0.1)
    assert b.entered("Active") - resigned_at == pytest.approx(0.001 + 0.0609375, abs=1e-5)
    assert b.router.last_reason == "192.0.2.1 resigned"


async def test_a_resigned_router_stays_away_until_it_resumes(autojump_clock, pair):
    a, b = pair
    await a.runner.resign("maintenance")
    a.node.set_link(up=False)
    await trio.sleep(1)
    a.node.set_link(up=True)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Initialize", "Active")
    a.runner.resume()
    assert a.state == "Backup"
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")
    assert (a.vips, b.vips) == ([VIP], [])


async def test_cancelling_an_active_resigns_too(autojump_clock, pair, lan):
    a, b = pair
    cancelled_at = trio.current_time()
    a.scope.cancel()
    await trio.sleep(0.1)
    assert sent(lan, "a", cancelled_at) == [0]
    assert (a.vips, b.state) == ([], "Active")


async def test_rule_25_a_backup_leaves_without_a_word(autojump_clock, pair, lan):
    _, b = pair
    await b.runner.resign("maintenance")
    await trio.sleep(1)
    assert sent(lan, "b", 0) == []


async def test_leaving_does_not_wait_for_ever_for_the_kernel(autojump_clock, pair):
    a, _ = pair
    a.node.vips.delay_s = 60
    before = trio.current_time()
    await a.runner.resign("maintenance")
    assert trio.current_time() - before < 1.0
    a.scope.cancel()
    await trio.sleep(1)


async def test_partition_and_heal(autojump_clock, pair, lan):
    a, b = pair
    lan.partition({"a"}, {"b"})
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Active")
    frames = len(lan.frames)
    lan.heal()
    healed_at = trio.current_time()
    await trio.sleep(0.11)
    assert (a.state, b.state) == ("Active", "Backup")
    assert (a.vips, b.vips) == ([VIP], [])
    assert b.router.last_reason == "192.0.2.1 is Active with higher priority"
    await trio.sleep(2)
    again = [at - healed_at for at, name, _ in lan.frames[frames:] if name == "a"]
    assert len(again) >= 4  # neighbours that learned b's MAC address unlearn it


async def test_one_way_deafness_keeps_the_higher_active(autojump_clock, pair, lan):
    a, b = pair
    a.node.clock.suspended_s = 0
    lan.partition({"a"}, {"b"})
    await trio.sleep(1)
    lan.heal()
    await trio.sleep(3)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_equal_priority_is_decided_by_address(autojump_clock, start, lan):
    a = Machine(lan, "a", "192.0.2.9/24", config())
    b = Machine(lan, "b", "192.0.2.100/24", config())
    lan.partition({"a"}, {"b"})
    await start(a, b)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Active")
    lan.heal()
    await trio.sleep(0.2)
    assert (a.state, b.state) == ("Backup", "Active")
    assert a.router.last_reason == "192.0.2.100 is Active with same priority and higher address"


async def test_preempt(autojump_clock, pair, start, lan):
    c = Machine(lan, "c", "192.0.2.3/24", config(priority=250))
    await start(c)
    await trio.sleep(1)
    assert [machine.state for machine in (*pair, c)] == ["Backup", "Backup", "Active"]
    assert c.router.last_reason == "192.0.2.1 has the lower priority 200"


async def test_no_preempt(autojump_clock, pair, start, lan):
    c = Machine(lan, "c", "192.0.2.3/24", config(priority=250, preempt=False))
    await start(c)
    await trio.sleep(1)
    assert [machine.state for machine in (*pair, c)] == ["Active", "Backup", "Backup"]


async def test_of_three_the_second_takes_over(autojump_clock, pair, start, lan):
    a, b = pair
    c = Machine(lan, "c", "192.0.2.3/24", config(priority=150))
    await start(c)
    await trio.sleep(1)
    a.crash()
    await trio.sleep(1)
    assert (b.state, c.state) == ("Backup", "Active")
    assert b.transitions() == [(0.0, "Backup")]


async def test_loss_of_every_fifth_advert_is_no_failover(autojump_clock, start, lan):
    lan.loss = 0.2
    a = Machine(lan, "a", "192.0.2.1/24", config(priority=200))
    b = Machine(lan, "b", "192.0.2.2/24", config(priority=100))
    await start(a, b)
    await trio.sleep(2)
    actives = [state for _, state in b.transitions() if state == "Active"]
    assert len(actives) <= 1


async def test_a_paused_active_releases_before_it_sends(autojump_clock, pair, lan):
    a, b = pair
    a.node.freeze()
    await trio.sleep(1.5)
    assert (b.state, b.vips, a.vips) == ("Active", [VIP], [])
    a.node.thaw()
    woke_at = trio.current_time()
    await trio.sleep(0.05)
    assert a.state == "Backup"
    assert a.router.last_reason.startswith("it had been paused for 1.")
    assert sent(lan, "a", woke_at) == []
    assert [at for at, name, _ in lan.frames if name == "a" and at >= woke_at] == []
    assert a.router.lateness_max_ms > 1000
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_a_suspended_active_is_shown_by_boottime(autojump_clock, pair, lan):
    a, _ = pair
    await trio.sleep(0.05)
    a.node.clock.suspended_s = 30.0
    suspended_at = trio.current_time()
    await trio.sleep(0.2)
    assert a.state == "Backup"
    assert a.router.last_reason.startswith("it had been paused for 30.0")
    assert sent(lan, "a", suspended_at) == []


async def test_a_slow_tick_within_bounds_is_no_reason_to_yield(autojump_clock, pair):
    a, _ = pair
    a.node.freeze()
    await trio.sleep(0.2)
    a.node.thaw()
    await trio.sleep(1)
    assert a.state == "Active"
    assert len(a.transitions()) == 2


async def test_a_paused_backup_reads_what_is_queued_before_it_judges(autojump_clock, pair, lan):
    a, b = pair
    b.node.freeze()
    await trio.sleep(2)
    b.node.thaw()
    await trio.sleep(1)
    assert b.transitions() == [(0.0, "Backup")]
    assert sent(lan, "b", 0) == []
    assert a.router.adverts_received == 0


async def test_a_briefly_late_backup_drains_its_queue_first(autojump_clock, pair, lan):
    _, b = pair
    b.node.freeze()
    await trio.sleep(0.5)  # past its deadline, but by less than Active_Down_Interval
    b.node.thaw()
    await trio.sleep(1)
    assert b.transitions() == [(0.0, "Backup")]


async def test_link_down_and_up(autojump_clock, pair):
    a, b = pair
    a.node.set_link(up=False)
    await trio.sleep(0.01)
    assert (a.state, a.vips) == ("Initialize", [])
    assert a.router.waiting_for == "interface eth0 to come up"
    await trio.sleep(1)
    assert b.state == "Active"
    a.node.set_link(up=True)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_an_interface_is_waited_for(autojump_clock, start, lan):
    a = Machine(lan, "a", None, config())
    a.node.set_index(0)
    a.node.set_link(up=False)
    await start(a)
    assert (a.state, a.router.waiting_for) == ("Initialize", "interface eth0 to exist")
    a.node.set_index(7)
    await trio.sleep(1)
    assert a.router.waiting_for == "interface eth0 to come up"
    a.node.set_link(up=True)
    await trio.sleep(1)
    assert a.router.waiting_for == "interface eth0 to have an IPv4 address"
    a.node.add_address("192.0.2.1/24")
    await trio.sleep(1)
    assert (a.state, a.router.waiting_for, a.vips) == ("Active", None, [VIP])
    assert [snapshot.waiting_for for _, snapshot in a.history[:2]] == [
        "interface eth0 to come up",
        "interface eth0 to have an IPv4 address",
    ]


async def test_a_vip_as_written_where_its_subnet_is_not_on_the_interface(autojump_clock, start, lan):
    a = Machine(lan, "a", "198.51.100.1/24", config())
    await start(a)
    await trio.sleep(1)
    assert a.vips == ["192.0.2.10/24"]


async def test_an_interface_made_anew(autojump_clock, pair):
    a, b = pair
    a.node.set_index(0)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Initialize", "Active")
    a.node.set_index(9)
    await trio.sleep(1)
    assert (a.state, b.state) == ("Active", "Backup")


async def test_an_interface_replaced_at_once(autojump_clock, pair):
    a, _ = pair
    a.node.set_index(9)
    await trio.sleep(0.01)
    assert a.state == "Backup"
    await trio.sleep(1)
    assert a.state == "Active"


async def test_the_primary_address_goes_and_another_comes(autojump_clock, pair, lan):
    a, _ = pair
    a.node.remove_addresses()
    await trio.sleep(0.05)
    assert (a.state, a.vips) == ("Initialize", [])
    a.node.add_address("192.0.2.77/24")
    await trio.sleep(1)
    assert a.state == "Active"


async def test_a_vip_deleted_by_someone_else_is_put_back_at_once(autojump_clock, pair, lan):
    a, _ = pair
    a.node.vips.delete("192.0.2.10")
    assert a.vips == []
    await trio.sleep(0.01)
    assert a.vips == [VIP]
    assert a.router.vips_restored == 1
    assert a.router.state == "Active"


async def test_a_refused_claim_is_tried_again(autojump_clock, pair, start, lan, caplog):
    a, b = pair
    b.node.vips.refuse = "no"
    a.crash()
    await trio.sleep(0.5)
    assert (b.state, b.vips) == ("Active", [])
    b.node.vips.refuse = None
    await trio.sleep(0.3)
    assert b.vips == [VIP]
    assert "vip not changed" in [record.message for record in caplog.records]


async def test_a_claim_overtaken_by_a_release_leaves_nothing(autojump_clock, pair):
    a, b = pair
    a.crash()
    b.node.vips.delay_s = 0.2
    await trio.sleep(0.37)
    assert (b.state, b.vips) == ("Active", [])
    await b.runner.resign("changed its mind")
    await trio.sleep(1)
    assert b.vips == []


async def test_set_priority_moves_the_vip(autojump_clock, pair):
    a, b = pair
    a.runner.set_priority("lan", 50)
    await trio.sleep(0.5)
    assert (a.state, b.state) == ("Backup", "Active")
    assert (a.router.priority, a.router.configured_priority) == (50, 200)
    a.runner.set_priority("lan", None)
    await trio.sleep(0.5)
    assert (a.state, b.state, a.router.priority) == ("Active", "Backup", 200)


async def test_two_routers_of_one_interface_share_the_load(autojump_clock, start, lan):
    wan = {"name": "second", "vrid": 52, "addresses": (IPv4Interface("192.0.2.11/24"),)}
    a = Machine(lan, "a", "192.0.2.1/24", config(priority=200), config(priority=100, **wan))
    b = Machine(lan, "b", "192.0.2.2/24", config(priority=100), config(priority=200, **wan))
    await start(a, b)
    await trio.sleep(2)
    assert [router.state for router in a.runner.snapshot()] == ["Active", "Backup"]
    assert [router.state for router in b.runner.snapshot()] == ["Backup", "Active"]
    assert (a.vips, b.vips) == (["192.0.2.10/32"], ["192.0.2.11/32"])
    a.crash()
    await trio.sleep(1)
    assert sorted(b.vips) == ["192.0.2.10/32", "192.0.2.11/32"]


@asynccontextmanager
async def injector(lan, source="192.0.2.66"):
    """A machine that sends what it likes, in hex."""
    node = FakeNode(lan, "x", None)
    sock = node.open(node.interface)
    yield lambda text: sock.send(bytes.fromhex(text), source=IPv4Address(source))


REJECTED = [
    pytest.param("31", "length", id="rule-10"),
    pytest.param("3133ff0100", "length", id="rule-10-header"),
    pytest.param("2133ff010064000000000000", "version", id="rule-8"),
    pytest.param("3233ff010064000000000000", "type", id="rule-9"),
    pytest.param("3133ff010064beefc000020a", "checksum", id="rule-11"),
    pytest.param("3107ff010064beefc000020a", "vrid", id="rule-12"),
    pytest.param("3133ff000064beef", "count", id="rule-13"),
    pytest.param("3133ff010000beefc000020a", "interval", id="rule-14"),
]


@pytest.mark.parametrize(("payload", "reason"), REJECTED)
async def test_a_malformed_advert_is_counted_and_changes_nothing(autojump_clock, pair, lan, payload, reason):
    a, b = pair
    async with injector(lan) as send:
        send(payload)
    await trio.sleep(1)
    assert a.router.adverts_rejected == {reason: 1}
    assert b.router.adverts_rejected == {reason: 1}
    assert [machine.state for machine in pair] == ["Active", "Backup"]
    assert len(a.transitions()) == 2


async def test_a_flood_of_malformed_adverts_is_logged_now_and_then(autojump_clock, pair, lan, caplog):
    a, _ = pair
    with caplog.at_level(logging.WARNING):
        async with injector(lan) as send:
            for _ in range(1000):
                send("3133ff010064beefc000020a")
                await trio.sleep(0.001)
    await trio.sleep(0.1)
    assert a.router.adverts_rejected == {"checksum": 1000}
    assert len([record for record in caplog.records if record.message == "advertisement rejected"]) == 2


async def test_our_own_address_as_sender_is_not_listened_to(autojump_clock, pair, lan):
    a, _ = pair
    async with injector(lan, source="192.0.2.1") as send:
        send("3133ff010064beefc000020a")
    await trio.sleep(1)
    assert a.router.adverts_rejected == {"own_address": 1}


async def test_rule_5_the_other_checksum_is_accepted_and_counted(autojump_clock, start, lan):
    a = Machine(lan, "a", "192.0.2.1/24", config(priority=200, checksum="rfc9568"))
    b = Machine(lan, "b", "192.0.2.2/24", config(priority=100))
    await start(a, b)
    await trio.sleep(2)
    assert (a.state, b.state) == ("Active", "Backup")
    assert b.router.unusual_checksums == b.router.adverts_received > 10
    assert a.router.unusual_checksums == 0


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        pytest.param(
            {"advertisement_interval_cs": 20}, "advertisement interval 200 ms, ours 100 ms", id="rule-18-interval"
        ),
        pytest.param(
            {"addresses": (IPv4Interface("192.0.2.99/24"),)},
            "addresses 192.0.2.99; ours 192.0.2.10",
            id="rule-19-addresses",
        ),
    ],
)
async def test_a_peer_that_is_configured_otherwise_is_not_dropped(autojump_clock, start, lan, caplog, changes, detail):
    a = Machine(lan, "a", "192.0.2.1/24", config(priority=200, **changes))
    b = Machine(lan, "b", "192.0.2.2/24", config(priority=100))
    await start(a, b)
    await trio.sleep(3)
    assert (a.state, b.state) == ("Active", "Backup")
    assert detail in [getattr(record, "detail", None) for record in caplog.records]


async def test_rule_41_the_group_is_joined_before_anything_is_sent(autojump_clock, start, lan):
    a = Machine(lan, "a", "192.0.2.1/24", config(priority=255))
    order = []
    opening, sending = a.node.open, lan.carry
    a.node.open = lambda interface: order.append("join") or opening(interface)
    lan.carry = lambda sender, datagram: order.append("send") or sending(sender, datagram)
    await start(a)
    assert order[:2] == ["join", "send"]


async def test_a_socket_that_cannot_be_opened_is_tried_again(autojump_clock, start, lan):
    a = Machine(lan, "a", "192.0.2.1/24", config())
    opening = a.node.open

    def refuse(interface):
        raise OSError(105, "No buffer space available")

    a.node.open = refuse
    await start(a)
    await trio.sleep(0.5)
    assert a.router.waiting_for == "interface eth0 to take a VRRP socket (No buffer space available)"
    a.node.open = opening
    await trio.sleep(1)
    assert a.state in ("Backup", "Active")


async def test_a_machine_resets_nothing_by_hearing_of_its_interface_again(autojump_clock, pair):
    a, b = pair
    for _ in range(10):
        b.node.interface_changed()
        a.node.interface_changed()
        await trio.sleep(0.1)
    assert (len(a.transitions()), len(b.transitions())) == (2, 1)
