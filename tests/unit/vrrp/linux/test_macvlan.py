"""Names of virtual interfaces, and which of them are left over. What the kernel makes of them: tests/netns."""

import pytest

from vrrp.linux.macvlan import left_over, name_of
from vrrp.linux.netlink import Link

VMAC = bytes.fromhex("00005e000133")
VMAC6 = bytes.fromhex("00005e0002ff")


@pytest.mark.parametrize(
    ("index", "mac", "name"), [(2, VMAC, "vrrp4-51-2"), (18, VMAC, "vrrp4-51-12"), (0xFFFFF, VMAC6, "vrrp6-255-fffff")]
)
def test_name(index, mac, name):
    assert name_of(index, mac) == name
    assert len(name) <= 15


class FakeTable:
    def __init__(self, *links):
        self._links = links

    def links(self):
        return self._links


def test_left_over_is_what_is_ours_on_these_interfaces():
    table = FakeTable(
        Link(2, "eth0", True, b""),
        Link(3, "eth1", True, b""),
        Link(7, "vrrp4-51-2", True, VMAC, 2, True),
        Link(8, "vrrp4-51-3", True, VMAC, 3, True),
        Link(9, "vrrp4-52-2", True, VMAC, 0, False),
    )
    assert left_over(table, {"eth0"}) == (("vrrp4-51-2", 7),)
    assert left_over(table, {"eth0", "eth1"}) == (("vrrp4-51-2", 7), ("vrrp4-51-3", 8))
    assert left_over(table, set()) == ()
