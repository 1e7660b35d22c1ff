"""What a runner refuses. How runners behave is in tests/scenario."""

import subprocess
import sys
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

import pytest

from vrrp.config import VirtualRouterConfig
from vrrp.events import HandedOver
from vrrp.runner import Runner, check_together
from vrrp.testing import FakeLan, FakeNode


def config(name="lan", vrid=51, interface="eth0"):
    return VirtualRouterConfig(
        name=name, vrid=vrid, interface=interface, addresses=(IPv4Interface(f"192.0.2.{vrid}/24"),)
    )


def test_names_are_unique():
    with pytest.raises(ValueError, match="two virtual routers are named 'lan'"):
        check_together([config(), config(vrid=52)])


def test_vrids_are_unique_on_an_interface():
    with pytest.raises(ValueError, match="'lan' and 'wan' both have vrid 51 on eth0"):
        check_together([config(), config("wan")])
    check_together([config(), config("wan", interface="eth1"), config("other", vrid=52)])


async def test_priority_is_1_to_255():
    runner = Runner([config()], ports=FakeNode(FakeLan(), "a", None).ports, observe=lambda snapshot: None)
    with pytest.raises(ValueError, match="priority must be from 1 to 255, not 0"):
        runner.set_priority("lan", 0)
    with pytest.raises(KeyError):
        runner.set_priority("nobody", 10)


async def test_snapshots_are_in_the_order_of_the_configs():
    configs = [config("b", 2, "eth1"), config("a", 1, "eth0")]
    runner = Runner(configs, ports=FakeNode(FakeLan(), "a", None).ports, observe=lambda snapshot: None)
    assert [snapshot.name for snapshot in runner.snapshot()] == ["b", "a"]
    assert runner.snapshot()[0].waiting_for == "interface eth1 to exist"
    assert runner.snapshot()[0].last_reason == "started"


@pytest.mark.slow
def test_nothing_heavy_is_imported():
    program = (
        "import sys, vrrp.runner, vrrp.linux, vrrp.last_will\n"
        "print(*{'scapy', 'pydantic', 'click', 'rich', 'yaml', 'hapair', 'balancer'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


async def test_one_number_may_stand_in_both_families():
    six = VirtualRouterConfig(name="six", vrid=51, interface="eth0", addresses=(IPv6Interface("fe80::10/64"),))
    check_together([config(), six])


async def test_what_concerns_no_router_of_ours_is_passed_over():
    runner = Runner([config()], ports=FakeNode(FakeLan(), "a", None).ports, observe=lambda snapshot: None)
    runner.peer_met({"other": IPv4Address("192.0.2.2")})
    runner.peer_advertised("other", IPv4Address("192.0.2.2"), b"")
    runner.tell(["other"], HandedOver("b"))
    runner.peer_heard()
    runner.peer_lost()
    assert runner.snapshot()[0].state == "Initialize"
    assert runner.sources() == {}


async def test_a_gate_is_closed_before_anything_runs(autojump_clock, nursery):
    runner = Runner([config()], ports=FakeNode(FakeLan(), "a", "192.0.2.1/24").ports, observe=lambda snapshot: None)
    runner.set_gate("lan", "workers", "no worker serves")
    await nursery.start(runner.run)
    assert runner.snapshot()[0].waiting_for == "resume, after: no worker serves"
    runner.set_gate("lan", "workers", None)
    assert runner.snapshot()[0].state == "Backup"
    assert runner.sources() == {"lan": IPv4Address("192.0.2.1")}
    nursery.cancel_scope.cancel()
