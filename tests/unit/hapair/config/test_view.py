"""The file as one node sees it."""

import os
from ipaddress import IPv4Interface

import pytest

from hapair.config import UnknownNodeError, load_text, node_view
from vrrp.config import VirtualRouterConfig

TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
virtual_routers:
  lan:
    vrid: 51
    interface: {pi-a: eth0, pi-b: end0}
    addresses: [192.0.2.100/24, 192.0.2.101/24]
    priority: {pi-a: 200, pi-b: 100}
    advertisement_interval: 250ms
    preempt: false
    checksum: rfc9568
  dmz: {vrid: 7, interface: eth1, addresses: [198.51.100.1/24], priority: 50}
frontends:
  both: {listen: ["192.0.2.100:80", "198.51.100.1:80"], pool: web}
  one: {listen: ["192.0.2.100:81", "192.0.2.101:81"], pool: web}
  mixed: {listen: ["192.0.2.100:82", "192.0.2.11:82"], pool: web}
  any: {listen: [":83"], pool: web}
pools:
  web: {servers: {web1: "192.0.2.21:80"}}
workers: 3
drain: 5s
"""


def test_a_node_gets_its_own_values() -> None:
    view = node_view(load_text(TEXT), "pi-b")
    assert view.node == "pi-b"
    assert view.nodes == {"pi-a": "192.0.2.11", "pi-b": "192.0.2.12"}
    assert view.routers == (
        VirtualRouterConfig(
            name="lan",
            vrid=51,
            interface="end0",
            addresses=(IPv4Interface("192.0.2.100/24"), IPv4Interface("192.0.2.101/24")),
            priority=100,
            advertisement_interval_cs=25,
            preempt=False,
            hold_down_s=10.0,
            checksum="rfc9568",
        ),
        VirtualRouterConfig(
            name="dmz",
            vrid=7,
            interface="eth1",
            addresses=(IPv4Interface("198.51.100.1/24"),),
            priority=50,
            advertisement_interval_cs=10,
            hold_down_s=10.0,
        ),
    )
    assert (view.routers[0].interface, node_view(load_text(TEXT), "pi-a").routers[0].interface) == ("end0", "eth0")


def test_the_balancer_is_the_same_on_both_nodes() -> None:
    loaded = load_text(TEXT)
    one, other = node_view(loaded, "pi-a"), node_view(loaded, "pi-b")
    assert one.balancer == other.balancer
    assert one.balancer.drain_s == 5.0
    assert list(one.balancer.frontends) == ["both", "one", "mixed", "any"]


def test_a_frontend_follows_the_routers_of_its_addresses_where_it_listens_on_nothing_else() -> None:
    assert node_view(load_text(TEXT), "pi-a").vip_of_frontend == {
        "both": frozenset({"lan", "dmz"}),
        "one": frozenset({"lan"}),
        "mixed": frozenset(),
        "any": frozenset(),
    }


def test_workers_are_as_many_as_written() -> None:
    assert node_view(load_text(TEXT), "pi-a").workers == 3


@pytest.mark.parametrize(("cores", "workers"), [({0}, 1), ({0, 1}, 1), ({2, 3, 5, 7}, 3)])
def test_auto_leaves_a_core_to_the_announcer(cores: set[int], workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    assert node_view(load_text(TEXT.replace("workers: 3", "workers: auto")), "pi-a").workers == workers


def test_a_machine_that_is_not_in_the_file_is_told_what_to_do() -> None:
    with pytest.raises(UnknownNodeError) as caught:
        node_view(load_text(TEXT, "/etc/hapair/hapair.yaml"), "pi-aa")
    assert str(caught.value) == (
        "this machine calls itself 'pi-aa', and /etc/hapair/hapair.yaml names pi-a and pi-b in pair.nodes; "
        "did you mean pi-a? Write this machine's host name there, or start with --node NAME"
    )


def test_a_machine_that_is_called_quite_otherwise() -> None:
    with pytest.raises(UnknownNodeError) as caught:
        node_view(load_text(TEXT, "f"), "raspberrypi")
    assert str(caught.value) == (
        "this machine calls itself 'raspberrypi', and f names pi-a and pi-b in pair.nodes. "
        "Write this machine's host name there, or start with --node NAME"
    )
