"""How single values are written."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from hapair.config import ConfigError, load_text
from hapair.config.scalars import OneOf, check_command, on_node

ROUTER = """\
pair: {nodes: {pi-a: 192.0.2.11}}
virtual_routers:
  lan:
    vrid: 51
    interface: eth0
    addresses: [192.0.2.100/24]
"""


def witness(written: str) -> object:
    return load_text(f"pair: {{nodes: {{pi-a: 192.0.2.11}}, witness: {written}}}").file.pair.witness


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return [f"{problem.where}: {problem.message}" for problem in caught.value.problems]


def test_one_value_for_all_nodes_or_one_for_each() -> None:
    assert on_node({"*": 1}, "pi-a") == 1
    assert on_node({"pi-a": 2, "pi-b": 3}, "pi-b") == 3


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("gateway", "gateway"),
        ("192.0.2.1", (IPv4Address("192.0.2.1"),)),
        ('[192.0.2.1, "2001:DB8::1"]', (IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1"))),
        ("null", None),
    ],
)
def test_a_witness(written: str, value: object) -> None:
    assert witness(written) == value


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("router", "'router' is not an IP address"),
        ("[]", "write gateway, or a list of addresses, for example [192.0.2.1]"),
        ("[192.0.2.1, 5]", "write gateway, or a list of addresses, for example [192.0.2.1]"),
        ("{a: 192.0.2.1}", "write gateway, or a list of addresses, for example [192.0.2.1]"),
        ("true", "write gateway, or a list of addresses, for example [192.0.2.1]"),
        ("[192.0.2.1, 192.0.2.1]", "the same address is listed twice"),
        ('["fe80::1%eth0"]', "'fe80::1%eth0': leave out what follows the %; the interface is known"),
    ],
)
def test_what_is_no_witness(written: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        witness(written)
    assert [f"{problem.where}: {problem.message}" for problem in caught.value.problems] == [f"pair.witness: {message}"]


@pytest.mark.parametrize("written", ["true", "false", "permissive"])
def test_authenticate_has_three_values(written: str) -> None:
    text = ROUTER.replace("pi-a: 192.0.2.11}", "pi-a: 192.0.2.11}, secret_file: k") + f"    authenticate: {written}\n"
    value = {"true": True, "false": False}.get(written, written)
    assert load_text(text).file.virtual_routers["lan"].authenticate == value


@pytest.mark.parametrize("written", ["1", '"true"', "[true]", "{}", "off-and-on"])
def test_authenticate_has_no_other(written: str) -> None:
    assert said(ROUTER + f"    authenticate: {written}\n") == [
        "virtual_routers.lan.authenticate: must be true, false or permissive"
    ]


def test_values_in_words() -> None:
    assert OneOf((True, False, "permissive")).words == "true, false or permissive"


@pytest.mark.parametrize("written", ["fe80::1%eth0/64", "2001:db8::1%1/64"])
def test_a_vip_has_no_zone(written: str) -> None:
    assert said(ROUTER.replace("192.0.2.100/24", f'"{written}"')) == [
        f"virtual_routers.lan.addresses[0]: {written!r}: leave out what follows the %; the interface is known"
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("2001:db8::100", "'2001:db8::100' lacks the prefix of its network, for example 2001:db8::100/64"),
        ("2001:db8::/64", "'2001:db8::/64' cannot be a virtual IP address"),
        ("ff02::12/64", "'ff02::12/64' cannot be a virtual IP address"),
        ("::1/128", "'::1/128' cannot be a virtual IP address"),
    ],
)
def test_what_cannot_be_an_ipv6_vip(written: str, message: str) -> None:
    assert said(ROUTER.replace("192.0.2.100/24", f'"{written}"')) == [f"virtual_routers.lan.addresses[0]: {message}"]


def test_names_in_a_list_stand_for_tables() -> None:
    text = ROUTER + "    track: {interfaces: [eth1, eth2]}\n"
    assert list(load_text(text).file.virtual_routers["lan"].track.interfaces) == ["eth1", "eth2"]
    assert said(ROUTER + "    track: {interfaces: [eth1, 2]}\n") == [
        "virtual_routers.lan.track.interfaces: must be a table of names and values"
    ]


@pytest.mark.parametrize("command", [("/bin/true",), ("/bin/echo", "", "a b", "*")])
def test_a_command(command: tuple[str, ...]) -> None:
    check_command("notify", command)


@pytest.mark.parametrize("command", [(), ("true",), ("./true",), ("", "/bin/true")])
def test_a_command_begins_with_a_whole_path(command: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"^notify must begin with the whole path of a program"):
        check_command("notify", command)


def test_a_command_holds_no_zero_byte() -> None:
    with pytest.raises(ValueError, match=r"^notify must not hold a zero byte$"):
        check_command("notify", ("/bin/echo", "a\0b"))
