"""What a pair is to be."""

from hapair.lab.plan import Plan

FOUR = Plan({"pi-a": "192.168.1.11", "pi-b": "192.168.1.12"}, {"pi-a": 200, "pi-b": 100}, {}, "192.168.1.100")
SIX = Plan({"pi-a": "fd00:51::11", "pi-b": "fd00:51::12"}, {"pi-a": 200, "pi-b": 100}, {}, "fd00:51::100", vrid=10)


def test_the_plan_knows_its_spans() -> None:
    assert FOUR.preferred == "pi-a"
    assert round(FOUR.active_down_s, 4) == 0.3609
    assert FOUR.lease_s == 1


def test_addresses_of_ipv6_begin_with_the_one_that_belongs_to_the_virtual_mac() -> None:
    assert FOUR.addresses == ("192.168.1.100/24",)
    assert SIX.addresses == ("fe80::200:5eff:fe00:20a/64", "fd00:51::100/64")


def test_each_family_has_its_virtual_mac() -> None:
    assert (FOUR.virtual_mac_address, SIX.virtual_mac_address) == ("00:00:5e:00:01:33", "00:00:5e:00:02:0a")


def test_the_peer_is_the_other_node() -> None:
    assert (FOUR.peer_of("pi-a"), FOUR.peer_of("pi-b")) == ("192.168.1.12", "192.168.1.11")
