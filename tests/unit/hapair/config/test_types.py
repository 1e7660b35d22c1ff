"""What a virtual router's section, a pair and the whole file may hold."""

from ipaddress import IPv4Interface

import pytest

from hapair.config import ConfigError, load_text
from hapair.config.types import HapairFile, PairSection, VirtualRouterSection

LAN = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: "2001:DB8:0::12"}}
virtual_routers:
  lan:
    vrid: 51
    interface: eth0
    addresses: [192.0.2.100/24]
"""


def router(**lines: str) -> VirtualRouterSection:
    values = {"vrid": "51", "interface": "eth0", "addresses": "[192.0.2.100/24]"} | lines
    text = LAN.partition("    vrid")[0] + "".join(f"    {key}: {value}\n" for key, value in values.items())
    return load_text(text, "f").file.virtual_routers["lan"]


def said(**lines: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        router(**lines)
    return [f"{problem.where}: {problem.message}" for problem in caught.value.problems]


def test_defaults() -> None:
    section = router()
    assert section == VirtualRouterSection(
        vrid=51,
        interface={"*": "eth0"},
        addresses=(IPv4Interface("192.0.2.100/24"),),
        priority={"*": 100},
        advertisement_interval_s=None,
        preempt=True,
        checksum="rfc5798",
    )


def test_a_node_address_is_in_its_canonical_form() -> None:
    assert load_text(LAN).file.pair.nodes == {"pi-a": "192.0.2.11", "pi-b": "2001:db8::12"}


def test_a_value_may_be_one_for_all_nodes_or_one_for_each() -> None:
    assert router(interface="{pi-a: eth0, pi-b: end0}").interface == {"pi-a": "eth0", "pi-b": "end0"}
    assert router(priority="{pi-a: 200, pi-b: 100}").priority == {"pi-a": 200, "pi-b": 100}
    assert router(priority="150").priority == {"*": 150}


@pytest.mark.parametrize(("written", "vrid"), [("1", 1), ("255", 255)])
def test_vrid_is_1_to_255(written: str, vrid: int) -> None:
    assert router(vrid=written).vrid == vrid


@pytest.mark.parametrize("written", ["0", "256", "-1"])
def test_another_vrid_is_an_error(written: str) -> None:
    assert said(vrid=written) == ["virtual_routers.lan.vrid: must be from 1 to 255"]


@pytest.mark.parametrize(("written", "interval_s"), [("10ms", 0.01), ("100ms", 0.1), ("1s", 1.0), ("40.95s", 40.95)])
def test_an_advertisement_interval(written: str, interval_s: float) -> None:
    assert router(advertisement_interval=written).advertisement_interval_s == interval_s


@pytest.mark.parametrize("written", ["9ms", "15ms", "41s", "0s", "105ms"])
def test_an_advertisement_interval_that_an_advertisement_cannot_carry(written: str) -> None:
    assert said(advertisement_interval=written) == [
        "virtual_routers.lan.advertisement_interval: must be from 10ms to 40950ms, in steps of 10ms"
    ]


@pytest.mark.parametrize("written", ["0", "256"])
def test_priority_is_1_to_255(written: str) -> None:
    assert said(priority=written) == ["virtual_routers.lan.priority: must be from 1 to 255"]


def test_a_priority_of_one_node_is_named() -> None:
    assert said(priority="{pi-a: 100, pi-b: 300}") == ["virtual_routers.lan: priority of pi-b must be from 1 to 255"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("192.0.2.100", "'192.0.2.100' lacks the prefix of its network, for example 192.0.2.100/24"),
        ("192.0.2.0/24", "'192.0.2.0/24' cannot be a virtual IP address"),
        ("192.0.2.255/24", "'192.0.2.255/24' cannot be a virtual IP address"),
        ("127.0.0.1/8", "'127.0.0.1/8' cannot be a virtual IP address"),
        ("224.0.0.18/24", "'224.0.0.18/24' cannot be a virtual IP address"),
        ("0.0.0.0/0", "'0.0.0.0/0' cannot be a virtual IP address"),
        ("240.0.0.1/24", "'240.0.0.1/24' cannot be a virtual IP address"),
        (
            "192.0.2.1/33",
            "'192.0.2.1/33' is not an IP address with its prefix, for example 192.0.2.100/24 or 2001:db8::100/64",
        ),
        ("vip", "'vip' is not an IP address with its prefix, for example 192.0.2.100/24 or 2001:db8::100/64"),
        ("5", "write it as text, for example 192.0.2.100/24"),
    ],
)
def test_what_cannot_be_a_vip(written: str, message: str) -> None:
    assert said(addresses=f"[{written}]") == [f"virtual_routers.lan.addresses[0]: {message}"]


def test_a_vip_may_be_a_host_route_or_half_of_a_link() -> None:
    assert router(addresses="[192.0.2.100/32, 192.0.2.0/31]").addresses == (
        IPv4Interface("192.0.2.100/32"),
        IPv4Interface("192.0.2.0/31"),
    )


def test_at_least_one_address_and_each_once() -> None:
    assert said(addresses="[]") == ["virtual_routers.lan: a virtual router needs at least one address"]
    assert said(addresses="[192.0.2.7/24, 192.0.2.7/32]") == ["virtual_routers.lan: 192.0.2.7 is listed twice"]


def test_at_most_as_many_addresses_as_an_advertisement_carries() -> None:
    addresses = [f"10.0.{i // 200}.{i % 200 + 1}/16" for i in range(256)]
    assert len(router(addresses=f"[{', '.join(addresses[:255])}]").addresses) == 255
    assert said(addresses=f"[{', '.join(addresses)}]") == [
        "virtual_routers.lan: an advertisement has room for 255 addresses, not for 256"
    ]


@pytest.mark.parametrize("written", ["eth0", "enp1s0f0", "br-lan", "eth0.100", "wlan0", "a" * 15])
def test_an_interface_name(written: str) -> None:
    assert router(interface=written).interface == {"*": written}


@pytest.mark.parametrize("written", ["eth0:1", "a/b", ".", "..", "two words", "", "a" * 16, "éth0"])
def test_what_cannot_be_an_interface_name(written: str) -> None:
    assert said(interface=f'"{written}"') == [
        f"virtual_routers.lan.interface: {written!r} is not a name of a network interface, for example eth0"
    ]


def test_checksum_has_two_forms() -> None:
    assert router(checksum="rfc9568").checksum == "rfc9568"
    assert said(checksum="rfc3768") == [
        "virtual_routers.lan.checksum: rfc3768 is not one of rfc5798, rfc9568; did you mean rfc9568?"
    ]


def test_workers_are_auto_or_a_number() -> None:
    pair = PairSection(nodes={"a": "192.0.2.1"})
    assert HapairFile(pair=pair).workers == "auto"
    assert HapairFile(pair=pair, workers=64).workers == 64
    with pytest.raises(ValueError, match=r"^workers must be auto or from 1 to 64$"):
        HapairFile(pair=pair, workers=65)


def test_defaults_in_numbers() -> None:
    section = router()
    assert (section.version, section.interval_s, section.family) == (3, 0.1, 4)
    assert (section.hold_down_s, section.preempt_delay_s, section.startup_delay_s) == (10.0, 0.0, 0.0)
    assert (section.accept, section.virtual_mac, section.peers, section.notify) == (True, False, "multicast", ())
    assert (section.authenticate, section.password, section.group, section.announce_every_s) == (None, None, None, None)


def test_version_2_counts_whole_seconds() -> None:
    assert router(version="2").interval_s == 1.0
    assert router(version="2", advertisement_interval="3s", password="geheim").password == "geheim"
    assert said(version="2", advertisement_interval="1500ms") == [
        "virtual_routers.lan.advertisement_interval: must be from 1s to 255s, in whole seconds, with version 2"
    ]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ({"version": "4"}, "version: 4 is not one of 2, 3"),
        ({"password": "geheim"}, "password: must be left out with version 3, which has none (RFC 9568 section 9)"),
        ({"version": "2", "password": "much-too-long"}, "password: must be 1 to 8 ASCII characters"),
        ({"version": "2", "authenticate": "true"},
         "authenticate: must be false with version 2: its peers know no signature"),
        ({"version": "2", "addresses": '["fe80::1:1/64"]'},
         "version: must be 3 for IPv6 addresses: VRRPv2 knows IPv4 alone"),
        ({"addresses": '["2001:db8::1/64"]'},
         "addresses: must begin with a link-local one for IPv6 (RFC 9568 section 5.2.9): "
         "put fe80::200:5eff:fe00:233/64 first"),
        ({"addresses": '[192.0.2.7/24, "2001:db8::1/64"]'},
         "addresses: must be all IPv4 or all IPv6: list those of the other family in excluded_addresses, "
         "or make a second virtual router and put both in one group"),
        ({"virtual_mac": "true", "priority": "255"},
         "virtual_mac: must be false with priority 255: an owner's addresses stand on its real interface"),
        ({"announce_every": "100ms"}, "announce_every: must be from 1s to 1h"),
        ({"notify": "[tell-me]"},
         "notify: must begin with the whole path of a program, for example [/usr/local/bin/example, now]"),
        ({"notify": "/bin/tell-me"}, "notify: must be a list: write [/bin/tell-me]"),
        ({"peers": "broadcast"}, "peers: broadcast is not one of multicast, unicast"),
    ],
)  # fmt: skip
def test_what_a_virtual_router_cannot_be(lines: dict[str, str], problem: str) -> None:
    assert said(**lines) == [f"virtual_routers.lan.{problem}"]


def test_a_span_that_is_too_long() -> None:
    assert said(hold_down="2h") == ["virtual_routers.lan: preempt_delay, startup_delay and hold_down are at most 1h"]


def test_a_password_is_not_shown() -> None:
    assert "geheim" not in repr(router(version="2", password="geheim"))


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("port: 0", "pair.port: must be from 1 to 65533: the next two are used as well"),
        ("port: 65534", "pair.port: must be from 1 to 65533: the next two are used as well"),
        ('secret_file: ""', "pair.secret_file: must be the path of a file, for example pair.key"),
        ("secret_file: 5", "pair.secret_file: must be text"),
        ('nodes: {a: "fe80::1%eth0"}',
         "pair.nodes.a: 'fe80::1%eth0': leave out what follows the %; the interface is known"),
    ],
)  # fmt: skip
def test_what_a_pair_cannot_be(written: str, problem: str) -> None:
    text = f"pair:\n  {written}\n" + ("" if "nodes" in written else "  nodes: {a: 192.0.2.1}\n")
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    assert [f"{one.where}: {one.message}" for one in caught.value.problems] == [problem]
