"""What another file asks of a running node."""

from dataclasses import replace

import pytest

from hapair.config import load_text, node_view
from hapair.messages import StartRouters
from hapair.reload.plan import Plan, Served, make_plan

TEXT = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
virtual_routers:
  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24]}
frontends:
  web: {listen: ["192.0.2.100:80"], pool: web, mode: tcp}
pools:
  web: {servers: {web1: "192.0.2.21:80", web2: "192.0.2.22:80"}}
"""


def served(text: str, *, secret: bytes | None = None) -> Served:
    loaded = load_text(text)
    config = node_view(loaded, "pi-a")
    tracked = {name: tracks.interfaces for name, tracks in config.tracks.items() if tracks.interfaces}
    opening = StartRouters(routers=config.routers, secret=secret, tracked=tracked, witnesses=config.witnesses)
    return Served(file=loaded.file, config=config, opening=opening)


def plan(written: str, instead: str, active: frozenset[str] = frozenset({"web"})) -> Plan:
    return make_plan(served(TEXT), served(TEXT.replace(written, instead)), active)


def test_servers_are_changed_in_place() -> None:
    made = plan('web1: "192.0.2.21:80", ', "")
    assert made.lines == ("- pools.web.servers.web1",)
    assert (made.routers, made.moving) == (False, ())
    assert made.words(["lan"]) == "this is applied in place"


def test_nothing_is_nothing() -> None:
    made = plan("pair", "pair")
    assert made.is_empty
    assert made.words(["lan"]) == "nothing is different"


@pytest.mark.parametrize(
    "instead",
    [
        *("vrid: 51, priority: 50", "vrid: 51, preempt: false", "vrid: 51, advertisement_interval: 1s"),
        *("vrid: 51, excluded_addresses: [192.0.2.101/24]", "vrid: 51, group: both", "vrid: 51, accept: false"),
        *("vrid: 51, track: {interfaces: {wan: {interface: eth1}}}", "vrid: 51, checksum: rfc9568"),
        "vrid: 51, peers: unicast",
    ],
)
def test_a_virtual_router_changes_in_place(instead: str) -> None:
    made = plan("vrid: 51", instead)
    assert (made.routers, made.moving, dict(made.anew), made.giving) == (True, (), {}, frozenset())
    assert made.words(["lan"]) == "this is applied in place"


def test_so_do_witnesses() -> None:
    made = plan("pair: {", "pair: {witness: gateway, ")
    assert made.routers
    assert made.words(["lan"]) == "this is applied in place"


@pytest.mark.parametrize(
    ("written", "instead", "why"),
    [
        ("vrid: 51", "vrid: 52", "vrid is 52 instead of 51"),
        ("eth0", "eth1", "interface is eth1 instead of eth0"),
        ("vrid: 51", "vrid: 51, version: 2", "version is 2 instead of 3"),
    ],
)
def test_what_makes_another_virtual_router_begins_anew_and_its_vips_are_elsewhere_if_they_can_be(
    written: str, instead: str, why: str
) -> None:
    made = plan(written, instead)
    assert (made.anew, made.giving) == ({"lan": why}, {"lan"})
    assert made.words(["lan"]) == (
        f"the VIPs of lan are handed over first, if the peer takes them; virtual router lan begins anew: {why}"
    )
    assert made.words([]) == f"this is applied in place; virtual router lan begins anew: {why}"


DMZ = "  dmz: {vrid: 52, interface: eth1, group: both, addresses: [198.51.100.1/24]}\n"
WAN = "  wan: {vrid: 53, interface: eth2, group: both, addresses: [203.0.113.1/24]}\nfrontends:"


def test_a_virtual_router_comes_or_goes_by_itself() -> None:
    more = TEXT.replace("frontends:", f"{DMZ}frontends:")
    made = make_plan(served(TEXT), served(more))
    assert made.words(["lan"]) == "this is applied in place; virtual router dmz starts"
    made = make_plan(served(more), served(TEXT))
    assert made.words(["lan", "dmz"]) == "this is applied in place; virtual router dmz leaves"
    assert made.giving == frozenset()


def test_one_of_a_group_takes_the_others_along() -> None:
    text = TEXT.replace("frontends:", DMZ + WAN)
    made = make_plan(served(text), served(text.replace("eth2", "eth3")))
    assert made.giving == {"dmz", "wan"}
    assert made.words(["lan", "dmz", "wan"]).startswith("the VIPs of dmz and wan are handed over first, if ")


def test_a_frontend_that_changes_planes_moves_first_where_its_vip_is_here() -> None:
    assert plan("mode: tcp", "mode: tcp, plane: kernel").moving == ("frontend web goes from plane proxy to kernel",)
    assert plan("mode: tcp", "mode: tcp, plane: kernel", frozenset()).moving == ()


def test_what_needs_all_vips_elsewhere_is_said_first() -> None:
    made = plan("mode: tcp", "mode: tcp, plane: kernel")
    assert made.words(["lan"]) == "the VIPs are handed over first: frontend web goes from plane proxy to kernel"
    assert made.words([]) == "this is applied in place"


def test_another_secret_is_a_change_that_is_not_shown() -> None:
    made = make_plan(served(TEXT, secret=b"one"), served(TEXT, secret=b"two"))
    assert made.lines == ("~ pair.secret_file.key is another",)
    assert made.refusal == (
        "the secret of the pair is another: restart hapair on one node after the other, which hands over first"
    )
    assert made.words(["lan"]).startswith("this would be refused: the secret")


def test_another_text_of_a_page_is_a_change() -> None:
    before = served(TEXT)
    one, two = (replace(before.config.balancer, files={"sorry.html": text}) for text in (b"one", b"two"))
    made = make_plan(
        replace(before, config=replace(before.config, balancer=one)),
        replace(before, config=replace(before.config, balancer=two)),
    )
    assert made.lines == ("~ sorry.html has another text",)
    assert not made.is_empty
