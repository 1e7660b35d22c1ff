"""What a person may write, and what they are told when they may not."""

from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

import pytest

from vrrp.config import VirtualRouterConfig, link_local_for


def config(**changes):
    values = {"name": "lan", "vrid": 51, "interface": "eth0", "addresses": (IPv4Interface("192.0.2.10/24"),)}
    return VirtualRouterConfig(**(values | changes))


def test_defaults_are_those_of_the_rfc():
    given = config()
    assert (given.priority, given.advertisement_interval_cs, given.preempt) == (100, 100, True)
    assert given.checksum == "rfc5798"
    assert given.vips == (IPv4Address("192.0.2.10"),)
    assert not given.owner


@pytest.mark.parametrize("vrid", [1, 255])
def test_rule_3_vrid_is_1_to_255(vrid):
    assert config(vrid=vrid).vrid == vrid


@pytest.mark.parametrize("interval_cs", [1, 4095])
def test_rule_3_interval_is_1_to_4095_centiseconds(interval_cs):
    assert config(advertisement_interval_cs=interval_cs).advertisement_interval_cs == interval_cs


def test_rule_4_priority_255_is_the_owner():
    assert config(priority=255).owner
    assert not config(priority=254).owner


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "needs a name"),
        ({"vrid": 0}, "vrid must be from 1 to 255, not 0"),
        ({"vrid": 256}, "vrid must be from 1 to 255, not 256"),
        ({"interface": "a name with spaces"}, "cannot be the name of a network interface"),
        ({"interface": "sixteen-letters!"}, "cannot be the name of a network interface"),
        ({"interface": "a/b"}, "cannot be the name of a network interface"),
        ({"interface": ".."}, "cannot be the name of a network interface"),
        ({"interface": ""}, "cannot be the name of a network interface"),
        ({"priority": 0}, "priority must be from 1 to 254"),
        ({"priority": 256}, "priority must be from 1 to 254"),
        ({"advertisement_interval_cs": 0}, "from 10ms to 40950ms"),
        ({"advertisement_interval_cs": 4096}, "from 10ms to 40950ms"),
        ({"checksum": "rfc3768"}, "checksum must be rfc5798 or rfc9568"),
        ({"addresses": ()}, "at least one address"),
        ({"addresses": (IPv4Interface("192.0.2.0/24"),)}, "192.0.2.0/24 cannot be a virtual IP address"),
        ({"addresses": (IPv4Interface("192.0.2.255/24"),)}, "cannot be a virtual IP address"),
        ({"addresses": (IPv4Interface("224.0.0.18/32"),)}, "cannot be a virtual IP address"),
        ({"addresses": (IPv4Interface("127.0.0.2/8"),)}, "cannot be a virtual IP address"),
        ({"addresses": (IPv4Interface("0.0.0.0/32"),)}, "cannot be a virtual IP address"),
        ({"addresses": (IPv4Interface("255.255.255.255/32"),)}, "cannot be a virtual IP address"),
        (
            {"addresses": (IPv4Interface("192.0.2.10/24"), IPv4Interface("192.0.2.10/32"))},
            "192.0.2.10 is listed twice",
        ),
        (
            {"addresses": tuple(IPv4Interface(f"10.0.{high}.{low}") for high in (1, 2) for low in range(1, 129))},
            "room for 255 addresses, not for 256",
        ),
    ],
)
def test_refused(changes, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        config(**changes)


@pytest.mark.parametrize("address", ["192.0.2.10/32", "192.0.2.0/31", "192.0.2.0/32", "10.0.0.1/8", "169.254.1.1/16"])
def test_a_host_can_have(address):
    assert config(addresses=(IPv4Interface(address),)).addresses == (IPv4Interface(address),)


V6 = (IPv6Interface("fe80::200:5eff:fe00:233/64"), IPv6Interface("2001:db8::10/64"))


def test_the_family_is_that_of_the_addresses():
    assert (config().family, config(addresses=V6).family) == (4, 6)
    given = config(addresses=V6, excluded_addresses=(IPv4Interface("192.0.2.10/24"),))
    assert list(map(str, given.vips)) == ["fe80::200:5eff:fe00:233", "2001:db8::10"]
    assert list(map(str, given.all_vips)) == ["fe80::200:5eff:fe00:233", "2001:db8::10", "192.0.2.10"]


def test_rule_2_the_virtual_mac_address():
    assert config(vrid=51).virtual_mac_address.hex() == "00005e000133"
    assert config(vrid=255, addresses=V6).virtual_mac_address.hex() == "00005e0002ff"


def test_a_link_local_address_that_belongs_to_the_number():
    assert str(link_local_for(51)) == "fe80::200:5eff:fe00:233/64"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"addresses": V6[1:]}, "must begin with a link-local one for IPv6"),
        ({"addresses": (IPv4Interface("192.0.2.10/24"), V6[0])}, "must be all IPv4 or all IPv6"),
        ({"excluded_addresses": (IPv4Interface("192.0.2.10/24"),)}, "192.0.2.10 is listed twice"),
        ({"addresses": (V6[0], IPv6Interface("2001:db8::/64"))}, "cannot be a virtual IP address"),
        ({"addresses": (V6[0], IPv6Interface("ff02::1/64"))}, "cannot be a virtual IP address"),
        ({"addresses": (V6[0], IPv6Interface("::1/128"))}, "cannot be a virtual IP address"),
        ({"version": 4}, "version must be 2 or 3, not 4"),
        ({"version": 2, "addresses": V6}, "version must be 3 for IPv6 addresses"),
        ({"version": 2, "advertisement_interval_cs": 150}, "from 1s to 255s, in whole seconds, with version 2"),
        ({"version": 2, "advertisement_interval_cs": 25600}, "from 1s to 255s"),
        ({"version": 2, "authentication": "required"}, "authenticate must be false with version 2"),
        ({"version": 2, "password": ""}, "password must be 1 to 8 ASCII characters"),
        ({"version": 2, "password": "ninechars"}, "password must be 1 to 8 ASCII characters"),
        ({"version": 2, "password": "schlüss"}, "password must be 1 to 8 ASCII characters"),
        ({"password": "secret12"}, "password must be left out with version 3"),
        ({"virtual_mac": True, "priority": 255}, "virtual_mac cannot be used with priority 255"),
        ({"peers": (IPv6Address("2001:db8::1"),)}, "peers must be IPv4 addresses"),
    ],
)
def test_refused_of_what_came_later(changes, words):
    with pytest.raises(ValueError, match=words):
        config(**changes)


def test_rule_43_version_2_in_whole_seconds():
    assert config(version=2, advertisement_interval_cs=25500).advertisement_interval_cs == 25500


def test_a_password_is_not_shown():
    assert "secret12" not in repr(config(version=2, password="secret12"))
