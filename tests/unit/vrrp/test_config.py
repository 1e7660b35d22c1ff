"""What a person may write, and what they are told when they may not."""

from ipaddress import IPv4Address, IPv4Interface

import pytest

from vrrp.config import VirtualRouterConfig


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
