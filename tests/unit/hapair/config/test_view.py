"""The file as one node sees it."""

import os
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

import pytest

from hapair.config import NodeConfig, UnknownNodeError, load_text, node_view
from hapair.config.tracks import TrackedPool
from hapair.config.view import LinkSettings, RouterTracks
from vrrp.config import VirtualRouterConfig
from vrrp.tracking import InterfaceTrack

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
max_connections: 1000
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
    assert one.balancer.max_connections == 1000
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


FULL = """\
pair:
  nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}
  secret_file: keys/pair.key
  port: 2000
  witness: [192.0.2.1]
virtual_routers:
  lan:
    vrid: 51
    interface: {pi-a: eth0, pi-b: end0}
    addresses: [192.0.2.100/24]
    excluded_addresses: ["2001:db8::100/64"]
    priority: {pi-a: 200, pi-b: 100}
    peers: unicast
    group: site
    preempt_delay: 5s
    startup_delay: 3s
    hold_down: 2s
    accept: false
    virtual_mac: true
    announce_every: 1m
    track:
      interfaces: {wan: {interface: {pi-a: eth1, pi-b: end1}, weight: -50}, eth7: {}}
      pools: {web: {at_least: 1, weight: -30}}
    notify: [/bin/tell, me]
  old: {vrid: 52, interface: eth5, addresses: [198.51.100.1/24], version: 2, password: geheim, priority: 50}
pools:
  web: {servers: {web1: "192.0.2.21:80"}}
"""


def full(node: str = "pi-b", text: str = FULL, path: str = "/etc/hapair/hapair.yaml") -> NodeConfig:
    return node_view(load_text(text, path), node)


def test_everything_that_a_virtual_router_can_be_told() -> None:
    assert full().routers == (
        VirtualRouterConfig(
            name="lan",
            vrid=51,
            interface="end0",
            addresses=(IPv4Interface("192.0.2.100/24"),),
            excluded_addresses=(IPv6Interface("2001:db8::100/64"),),
            priority=100,
            advertisement_interval_cs=10,
            preempt_delay_s=5.0,
            startup_delay_s=3.0,
            hold_down_s=2.0,
            accept=False,
            virtual_mac=True,
            peers=(IPv4Address("192.0.2.11"),),
            source=IPv4Address("192.0.2.12"),
            group="site",
            authentication="required",
            announce_every_s=60.0,
            witnessed=True,
            rivals=1,
        ),
        VirtualRouterConfig(
            name="old",
            vrid=52,
            interface="eth5",
            addresses=(IPv4Interface("198.51.100.1/24"),),
            priority=50,
            version=2,
            password="geheim",
            advertisement_interval_cs=100,
            hold_down_s=10.0,
            witnessed=False,
            rivals=1,
        ),
    )


def test_what_the_routers_track() -> None:
    assert full("pi-a").tracks == {
        "lan": RouterTracks(
            interfaces=(
                InterfaceTrack(name="wan", interface="eth1", weight=-50),
                InterfaceTrack(name="eth7", interface="eth7", weight=None),
            ),
            pools={"web": TrackedPool(at_least=1, weight=-30)},
        ),
        "old": RouterTracks(),
    }
    assert full("pi-b").tracks["lan"].interfaces[0].interface == "end1"
    assert full().notify == {"lan": ("/bin/tell", "me")}


def test_the_link_between_two_nodes() -> None:
    assert full().link == LinkSettings(
        node="pi-b",
        peer="pi-a",
        address=IPv4Address("192.0.2.12"),
        peer_address=IPv4Address("192.0.2.11"),
        port=2000,
        secret_file="/etc/hapair/keys/pair.key",
    )
    assert full().secret_file == "/etc/hapair/keys/pair.key"
    assert full().witnesses == {"end0": (IPv4Address("192.0.2.1"),)}


@pytest.mark.parametrize(
    ("path", "written", "secret_file"),
    [
        ("/etc/hapair/hapair.yaml", "pair.key", "/etc/hapair/pair.key"),
        ("hapair.yaml", "pair.key", "pair.key"),
        ("conf/hapair.yaml", "../pair.key", "conf/../pair.key"),
        ("/etc/hapair/hapair.yaml", "/var/lib/pair.key", "/var/lib/pair.key"),
    ],
)
def test_the_secret_lies_beside_the_file(path: str, written: str, secret_file: str) -> None:
    assert full(text=FULL.replace("keys/pair.key", written), path=path).secret_file == secret_file


def test_without_a_secret_there_is_no_link_no_signature_and_no_knowledge_of_rivals() -> None:
    view = full(text=FULL.replace("  secret_file: keys/pair.key\n", ""))
    assert (view.link, view.secret_file) == (None, None)
    assert (view.routers[0].authentication, view.routers[0].rivals) == ("off", None)


def test_three_nodes_sign_their_adverts_and_have_no_link() -> None:
    text = FULL.replace("pi-b: 192.0.2.12}", "pi-b: 192.0.2.12, pi-c: 192.0.2.13}").replace(
        "{pi-a: 200, pi-b: 100}", "{pi-a: 200, pi-b: 100, pi-c: 50}"
    )
    text = text.replace("pi-b: end0}", "pi-b: end0, pi-c: eth0}").replace("pi-b: end1}", "pi-b: end1, pi-c: eth1}")
    view = full("pi-c", text)
    assert view.link is None
    assert (view.routers[0].authentication, view.routers[0].rivals) == ("required", 2)
    assert view.routers[0].peers == (IPv4Address("192.0.2.11"), IPv4Address("192.0.2.12"))


@pytest.mark.parametrize(
    ("written", "authentication"), [("true", "required"), ("false", "off"), ("permissive", "permissive")]
)
def test_authentication_as_written(written: str, authentication: str) -> None:
    text = FULL.replace("    peers: unicast\n", f"    authenticate: {written}\n")
    router = full(text=text).routers[0]
    assert (router.authentication, router.peers, router.source) == (authentication, (), None)


def test_without_a_witness_nobody_is_asked() -> None:
    view = full(text=FULL.replace("  witness: [192.0.2.1]\n", ""))
    assert view.witnesses is None
    assert [router.witnessed for router in view.routers] == [False, False]


def test_the_gateway_is_a_witness_on_every_interface() -> None:
    view = full(text=FULL.replace("[192.0.2.1]", "gateway"))
    assert view.witnesses == {"end0": (), "eth5": ()}
    assert [router.witnessed for router in view.routers] == [True, True]


def test_a_frontend_follows_excluded_addresses_too() -> None:
    text = FULL + 'frontends: {web: {listen: ["192.0.2.100:80", "[2001:db8::100]:80"], pool: web}}\n'
    assert full(text=text).vip_of_frontend == {"web": frozenset({"lan"})}


def test_a_name_in_other_letters_is_nearest() -> None:
    with pytest.raises(UnknownNodeError, match="did you mean pi-a"):
        node_view(load_text(TEXT), "PI-A")
