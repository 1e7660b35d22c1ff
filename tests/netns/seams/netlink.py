"""Addresses: leases, tags, removal, dumps."""

import socket
import subprocess
import time
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_interface

import pytest
from lan import VMAC, VMAC6, Machine, main, set_sysctl, sysctl

from vrrp.interfaces import HeldAddress
from vrrp.linux import remove_left_over
from vrrp.linux.macvlan import VirtualInterfaces
from vrrp.linux.netlink import AddressAdded


def ns_lease_ends(lan):
    """An address that nobody renews is removed by the kernel; one that is renewed stays."""
    lan.up()
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=1)
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.101/32"), lease_s=1)
    began = time.monotonic()
    while "10.99.0.100/32" in lan.addresses():
        assert time.monotonic() - began < 2.5
        lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.101/32"), lease_s=1)
        time.sleep(0.05)
    assert time.monotonic() - began >= 0.9
    assert lan.addresses() == {"10.99.0.1/24": None, "10.99.0.101/32": 99}


def ns_no_lease(lan):
    """An address without a lease is for good."""
    lan.up()
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=None)
    message = next(m for m in lan.ipr.get_addr(index=lan.index["v0"]) if m.get_attr("IFA_LOCAL") == "10.99.0.100")
    assert message.get_attr("IFA_CACHEINFO")["ifa_valid"] == 0xFFFFFFFF


def ns_tag(lan):
    """Only what carries our tag is ours; a start removes it, but for what is to be held."""
    lan.up()
    lan.add("10.99.0.50/32")
    for address in ("10.99.0.100/32", "10.99.0.101/32"):
        lan.table.put(lan.index["v0"], IPv4Interface(address), lease_s=None)
    assert lan.table.tagged({"v1"}) == ()
    assert [str(address) for _, _, address in lan.table.tagged({"v0"})] == ["10.99.0.100/32", "10.99.0.101/32"]
    remove_left_over(lan.table, {"v0"}, keep={IPv4Address("10.99.0.101")})
    assert lan.addresses() == {"10.99.0.1/24": None, "10.99.0.50/32": None, "10.99.0.101/32": 99}


def ns_remove_twice(lan):
    """It is no error to remove what is gone, from an interface that may be gone too."""
    lan.up()
    lan.table.remove(lan.index["v0"], IPv4Interface("10.99.0.100/32"))
    lan.table.remove(4711, IPv4Interface("10.99.0.100/32"))
    with pytest.raises(OSError, match="No such device"):
        lan.table.put(4711, IPv4Interface("10.99.0.100/32"), lease_s=1)


def ns_dump(lan):
    """A dump tells of links and of IPv4 addresses."""
    lan.up()
    own = HeldAddress(IPv4Interface("10.99.0.1/24"))
    assert AddressAdded(lan.index["v0"], own) in lan.table.dump()


def ns_ipv6_lease_ends(lan):
    """An IPv6 address that nobody renews is removed by the kernel; one that is renewed stays, though deprecated."""
    lan.up()
    leased, renewed = IPv6Interface("fd00:99::100/128"), IPv6Interface("fd00:99::101/64")
    for address in (leased, renewed):
        lan.table.put(lan.index["v0"], address, lease_s=1)
    began = time.monotonic()
    while "fd00:99::100/128" in lan.addresses6():
        assert time.monotonic() - began < 2.5
        lan.table.put(lan.index["v0"], renewed, lease_s=1)
        time.sleep(0.05)
    assert time.monotonic() - began >= 0.9
    assert lan.addresses6() == {"fd00:99::101/64"}
    lan.table.remove(lan.index["v0"], renewed)
    lan.table.remove(lan.index["v0"], renewed)
    assert lan.addresses6() == set()


def ns_ipv6_usable_at_once(lan):
    """No duplicate address detection, even where the interface does it."""
    lan.up("fd00:99::1/64")
    set_sysctl("ipv6/conf/v0/accept_dad", 1)
    set_sysctl("ipv6/conf/v0/dad_transmits", 1)
    began = time.monotonic()
    lan.table.put(lan.index["v0"], IPv6Interface("fd00:99::100/128"), lease_s=2)
    with socket.create_server(("fd00:99::100", 8080), family=socket.AF_INET6):
        took = time.monotonic() - began
    assert took < 0.1
    assert lan.who_has("fd00:99::100") == [lan.mac()]


def ns_ipv6_vip_is_not_chosen(lan):
    """A leased VIP is no source address of this machine's own connections: they would break when it moves."""
    lan.up("fd00:99::1/64")
    lan.table.put(lan.index["v0"], IPv6Interface("fd00:99::100/128"), lease_s=2)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.connect(("fd00:99::100:1", 9))
        assert probe.getsockname()[0] == "fd00:99::1"


def ns_link_local_vip_answers_another_machine(lan):
    """The other machine resolves and pings VIPs of both families, on the interface and on a virtual one."""
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    other = Machine(lan, "10.99.0.200/24", "fd00:99::200/64")
    set_sysctl("ipv4/conf/all/rp_filter", 1)  # as many distributions have it
    virtual = VirtualInterfaces()
    places = {lan.index["v0"]: lan.mac()}
    for mac in (VMAC, VMAC6):
        places[virtual.switch_on(lan.table, lan.index["v0"], mac, ipv6=True)] = mac
    for number, (index, mac) in enumerate(places.items()):
        for vip in (f"10.99.0.10{number}/32", f"fd00:99::10{number}/128", f"fe80::10{number}/128"):
            lan.table.put(index, ip_interface(vip), lease_s=20)
            ip = vip.partition("/")[0]
            other.run("ping", "-c", "3", "-i", "0.2", "-W", "1", ip + ("%v1" if ip.startswith("fe80") else ""))
            neighbours = other.run("ip", "neigh", "show", ip)
            assert mac.hex(":") in neighbours or vip.startswith("10.99"), (vip, neighbours)
    other.close()


FENCE = """
table arp t {
  chain c {
  type filter hook output priority 0
  arp operation reply arp saddr ip 10.99.0.100 arp saddr ether != 00:00:5e:00:01:33 drop
  arp operation request arp saddr ip 10.99.0.100 arp saddr ether != 00:00:5e:00:01:33 arp saddr ip set 10.99.0.1
  }
}"""


def ns_only_the_virtual_mac_answers_with_two_rules(lan):
    """What a fence must do beside a virtual MAC address for IPv4, and that it is enough."""
    lan.up()
    other = Machine(lan, "10.99.0.200/24")
    virtual = VirtualInterfaces().switch_on(lan.table, lan.index["v0"], VMAC, ipv6=True)
    lan.table.put(virtual, ip_interface("10.99.0.100/32"), lease_s=20)
    subprocess.run(["nft", "-f", "-"], input=FENCE.encode(), check=True, timeout=10)
    for _ in range(5):
        other.run("ip", "neigh", "flush", "all")
        subprocess.run(["ip", "neigh", "flush", "all"], check=True, timeout=10)
        other.run("ping", "-c", "1", "-W", "1", "10.99.0.100")
        assert VMAC.hex(":") in other.run("ip", "neigh", "show", "10.99.0.100")
        # Asking for a neighbour on behalf of the VIP must go on working, and must not tell the MAC address of v0.
        other.run("ip", "neigh", "flush", "all")
        subprocess.run(["ip", "neigh", "flush", "all"], check=True, timeout=10)
        ping = ["ping", "-c", "1", "-W", "1", "-I", "10.99.0.100", "10.99.0.200"]
        subprocess.run(ping, check=True, stdout=subprocess.DEVNULL, timeout=10)
        assert lan.mac().hex(":") not in other.run("ip", "neigh", "show", "10.99.0.100")
    other.close()


def ns_half_made_virtual_interface(lan):
    """One that a crash left before it had its alias is in nobody's way; one of someone else's is left alone."""
    lan.up()
    name = f"vrrp4-51-{lan.index['v0']:x}"
    lan.ipr.link("add", ifname=name, kind="macvlan", link=lan.index["v0"], address=VMAC.hex(":"))
    VirtualInterfaces().switch_on(lan.table, lan.index["v0"], VMAC, ipv6=True)
    links = [link for link in lan.table.links() if link.name == name]
    assert [(link.up, link.ours, link.lower, link.mac) for link in links] == [(True, True, lan.index["v0"], VMAC)]
    other = f"vrrp4-52-{lan.index['v0']:x}"
    lan.ipr.link("add", ifname=other, kind="macvlan", link=lan.index["v0"])
    with pytest.raises(OSError, match="File exists"):
        VirtualInterfaces().switch_on(lan.table, lan.index["v0"], VMAC[:5] + bytes((52,)), ipv6=True)
    assert lan.link(other) is not None


def ns_settings_of_a_virtual_interface(lan):
    """They are its own; none of the interface below, or of all, is touched."""
    lan.up()
    before = {
        (name, setting): sysctl(f"{setting.format(name)}") for name in ("v0", "all", "default") for setting in SETTINGS
    }
    VirtualInterfaces().switch_on(lan.table, lan.index["v0"], VMAC6, ipv6=True)
    name = f"vrrp6-51-{lan.index['v0']:x}"
    assert [sysctl(setting.format(name)) for setting in SETTINGS] == ["2", "1", "1", "0", "0", "0", "0"]
    assert {(name, setting): sysctl(setting.format(name)) for name, setting in before} == before
    assert lan.addresses(lan.link(name), socket.AF_INET6) == {}


SETTINGS = (
    "ipv4/conf/{}/rp_filter",
    "ipv4/conf/{}/arp_ignore",
    "ipv6/conf/{}/addr_gen_mode",
    "ipv6/conf/{}/accept_ra",
    "ipv6/conf/{}/autoconf",
    "ipv6/conf/{}/accept_dad",
    "ipv6/conf/{}/dad_transmits",
)


if __name__ == "__main__":
    main(globals())
