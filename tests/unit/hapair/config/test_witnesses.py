"""Who is asked on which interface."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from hapair.config import load_text
from hapair.config.witnesses import witnesses_on

TEXT = """\
pair:
  nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}
virtual_routers:
  lan: {vrid: 51, interface: {pi-a: eth0, pi-b: end0}, addresses: [192.0.2.100/24]}
  wan: {vrid: 52, interface: eth1, addresses: [198.51.100.7/32], excluded_addresses: ["2001:db8::7/64"]}
"""


def on(node: str, witness: str | None) -> object:
    text = TEXT if witness is None else TEXT.replace("pair:\n", f"pair:\n  witness: {witness}\n")
    return witnesses_on(load_text(text).file, node)


@pytest.mark.parametrize(
    ("witness", "asked"),
    [
        (None, None),
        ("gateway", {"eth0": (), "eth1": ()}),
        ("[192.0.2.1, 192.0.2.2]", {"eth0": (IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))}),
        ('"2001:db8::1"', {"eth1": (IPv6Address("2001:db8::1"),)}),
        (
            "[192.0.2.1, 203.0.113.1]",
            {
                "eth0": (IPv4Address("192.0.2.1"), IPv4Address("203.0.113.1")),
                "eth1": (IPv4Address("203.0.113.1"),),
            },
        ),
    ],
)
def test_a_witness_is_asked_where_it_is(witness: str | None, asked: object) -> None:
    assert on("pi-a", witness) == asked


def test_interfaces_are_the_node_s_own() -> None:
    assert on("pi-b", "gateway") == {"end0": (), "eth1": ()}
