"""The table of links and addresses."""

from ipaddress import IPv4Interface

from vrrp.interfaces import HeldAddress, Interface
from vrrp.linux.linkwatch import LinkTable, received_in
from vrrp.linux.netlink import AddressAdded, AddressGone, Link, LinkGone

MAC = bytes.fromhex("02000000000a")
OWN = HeldAddress(IPv4Interface("192.0.2.1/24"))
VIP = HeldAddress(IPv4Interface("192.0.2.10/32"), ours=True)


def table(*changes):
    made = LinkTable()
    made.replace(changes)
    return made


def test_unknown():
    assert table().interface("eth0") == Interface(name="eth0")


def test_link_with_addresses_in_their_order():
    made = table(Link(3, "eth0", True, MAC), AddressAdded(3, OWN), AddressAdded(3, VIP))
    assert made.interface("eth0") == Interface(name="eth0", index=3, up=True, mac=MAC, addresses=(OWN, VIP))


def test_a_change_names_whom_it_concerns():
    made = table(Link(3, "eth0", True, MAC))
    assert made.apply(AddressAdded(3, OWN)) == {"eth0"}
    assert made.apply(AddressGone(9, OWN.address)) == set()
    assert made.apply(Link(4, "eth1", True, MAC)) == {"eth1"}


def test_a_renewed_address_is_still_one():
    made = table(Link(3, "eth0", True, MAC), AddressAdded(3, VIP))
    made.apply(AddressAdded(3, VIP))
    assert made.interface("eth0").addresses == (VIP,)
    made.apply(AddressGone(3, VIP.address))
    assert made.interface("eth0").addresses == ()


def test_the_same_address_with_another_prefix_is_another():
    wide = HeldAddress(IPv4Interface("192.0.2.10/24"), ours=True)
    made = table(Link(3, "eth0", True, MAC), AddressAdded(3, VIP), AddressAdded(3, wide))
    made.apply(AddressGone(3, VIP.address))
    assert made.interface("eth0").addresses == (wide,)


def test_an_interface_that_goes_takes_its_addresses_along():
    made = table(Link(3, "eth0", True, MAC), AddressAdded(3, OWN))
    assert made.apply(LinkGone(3)) == {"eth0"}
    made.apply(Link(7, "eth0", True, MAC))
    assert made.interface("eth0") == Interface(name="eth0", index=7, up=True, mac=MAC)


def test_a_renamed_interface_concerns_both_names():
    made = table(Link(3, "eth0", True, MAC))
    assert made.apply(Link(3, "lan0", True, MAC)) == {"eth0", "lan0"}
    assert made.interface("eth0").index == 0


def test_a_message_without_a_mac_leaves_it():
    made = table(Link(3, "eth0", True, MAC))
    made.apply(Link(3, "eth0", False, b""))
    assert made.interface("eth0") == Interface(name="eth0", index=3, up=False, mac=MAC)


def test_a_dump_replaces_everything():
    made = table(Link(3, "eth0", True, MAC), AddressAdded(3, OWN))
    made.replace([Link(4, "eth1", True, MAC)])
    assert made.interface("eth0").index == 0
    assert made.interface("eth1").index == 4


def virtual(*, up=True):
    return Link(9, "vrrp4-51-3", up, bytes.fromhex("00005e000133"), 3, True)


def test_what_stands_on_a_virtual_interface_of_ours_is_told_with_the_one_below():
    made = table(Link(3, "eth0", True, MAC), AddressAdded(3, OWN))
    assert made.apply(virtual()) == {"eth0", "vrrp4-51-3"}
    assert made.apply(AddressAdded(9, VIP)) == {"eth0", "vrrp4-51-3"}
    assert made.interface("eth0").addresses == (OWN, VIP)
    assert made.interface("eth0").mac == MAC


def test_switched_off_or_deleted_it_has_none():
    for change in (virtual(up=False), LinkGone(9), AddressGone(9, VIP.address)):
        made = table(Link(3, "eth0", True, MAC), AddressAdded(3, OWN), virtual(), AddressAdded(9, VIP))
        assert "eth0" in made.apply(change)
        assert made.interface("eth0").addresses == (OWN,)


def test_an_interface_of_someone_elses_on_top_does_not_count():
    made = table(Link(3, "eth0", True, MAC), Link(9, "macvlan0", True, MAC, 3, False), AddressAdded(9, OWN))
    assert made.interface("eth0").addresses == ()


PROC_NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs
    lo: 1800     18    0    0    0     0          0         0     1800      19    0    0    0     0       0          0
  eth0:  700  12345    0    0    0     0          0         0     1234       3    0    0    0     0       0          0
eth0.5:    1      2    0    0    0     0          0         0        0       0    0    0    0     0       0          0
"""


def test_received_packets():
    lines = PROC_NET_DEV.splitlines()
    assert [received_in(lines, name) for name in ("eth0", "lo", "eth0.5", "eth1")] == [12345, 18, 2, 0]
