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
    return Served(
        file=loaded.file, config=config, opening=StartRouters(routers=config.routers, secret=secret, tracked=tracked)
    )


def plan(written: str, instead: str, active: frozenset[str] = frozenset({"web"})) -> Plan:
    return make_plan(served(TEXT), served(TEXT.replace(written, instead)), active)


def test_servers_are_changed_in_place() -> None:
    made = plan('web1: "192.0.2.21:80", ', "")
    assert made.lines == ("- pools.web.servers.web1",)
    assert (made.restart, made.moving) == ((), ())
    assert made.words(holds_vips=True) == "this is applied in place"


def test_nothing_is_nothing() -> None:
    made = plan("pair", "pair")
    assert made.is_empty
    assert made.words(holds_vips=True) == "nothing is different"


@pytest.mark.parametrize(("written", "instead"), [("vrid: 51", "vrid: 52"), ("eth0", "eth1")])
def test_what_makes_another_virtual_router_needs_the_vips_elsewhere(written: str, instead: str) -> None:
    made = plan(written, instead)
    assert len(made.restart) == 1
    assert made.words(holds_vips=True).startswith("the VIPs are handed over first: ")
    assert made.words(holds_vips=False).startswith("the announcer is started anew, without VIPs: ")


def test_a_frontend_that_changes_planes_moves_first_where_its_vip_is_here() -> None:
    assert plan("mode: tcp", "mode: tcp, plane: kernel").moving == ("frontend web goes from plane proxy to kernel",)
    assert plan("mode: tcp", "mode: tcp, plane: kernel", frozenset()).moving == ()


def test_another_secret_is_a_change_that_is_not_shown() -> None:
    made = make_plan(served(TEXT, secret=b"one"), served(TEXT, secret=b"two"))
    assert made.lines == ("~ pair.secret_file.key is another",)
    assert made.refusal == (
        "the secret of the pair is another: restart hapair on one node after the other, which hands over first"
    )
    assert made.words(holds_vips=True).startswith("this would be refused: the secret")


def test_another_text_of_a_page_is_a_change() -> None:
    before = served(TEXT)
    one, two = (replace(before.config.balancer, files={"sorry.html": text}) for text in (b"one", b"two"))
    made = make_plan(
        replace(before, config=replace(before.config, balancer=one)),
        replace(before, config=replace(before.config, balancer=two)),
    )
    assert made.lines == ("~ sorry.html has another text",)
    assert not made.is_empty
