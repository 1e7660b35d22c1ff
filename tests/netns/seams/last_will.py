"""What another process does for an announcer that died."""

import time
from ipaddress import IPv4Interface, ip_address, ip_interface

from lan import IPV4, IPV6, PEER_MAC, VMAC6, Lan, config, config6, main

from vrrp.last_will import LastWill
from vrrp.linux.macvlan import VirtualInterfaces


def ns_last_will(lan):
    """Priority 0 first, then every address of ours is off; in a few milliseconds, on whatever interfaces there are."""
    lan.up()
    gone = config(name="gone", vrid=9, interface="v9")
    will = LastWill((config(priority=200), gone))
    will.prepare()
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=5)
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.77/32"), lease_s=5)
    lan.frames()
    began = time.monotonic()
    assert will.fire({"lan", "gone"}) == ["10.99.0.100/32 on v0", "10.99.0.77/32 on v0"]
    assert time.monotonic() - began < 0.1
    (advert,) = lan.frames()
    assert (advert[22], advert[34:37].hex()) == (255, "313300")
    assert lan.addresses() == {"10.99.0.1/24": None}
    assert will.fire({"lan"}) == []
    assert len(lan.frames()) == 1
    will.close()


def ns_last_will_finds_what_is_held(lan):
    """A router that nobody named, but whose VIP is there, is resigned too; one whose VIP is not, is not."""
    lan.up()
    other = config(name="other", vrid=52, addresses=(IPv4Interface("10.99.0.101/24"),))
    lan.table.put(lan.index["v0"], IPv4Interface("10.99.0.100/32"), lease_s=5)
    lan.frames()
    will = LastWill((config(), other))
    assert will.release_all() == ["10.99.0.100/32 on v0"]
    assert [frame[35] for frame in lan.frames()] == [51]
    will.close()


def ns_last_will_survives_a_new_interface(lan):
    """Prepared on an interface that was then made anew."""
    lan.up()
    will = LastWill((config(),))
    will.prepare()
    lan.ipr.link("del", index=lan.index["v0"])
    again = Lan()
    again.up()
    assert will.fire({"lan"}) == []
    assert len(again.frames()) == 1
    will.close()


class Stamp:
    """A signer."""

    def sign(self, payload, source):
        return payload + b"signed by " + str(source).encode()


def ns_both_families(lan):
    """Priority 0 by IPv6, by unicast to each peer, from the virtual MAC address; signed; everything of ours is gone."""
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    lan.ipr.neigh("add", dst="10.99.0.200", lladdr=PEER_MAC.hex(":"), ifindex=lan.index["v0"])
    unicast = config(name="unicast", vrid=52, peers=(ip_address("10.99.0.200"),), source=ip_address("10.99.0.1"))
    old = config(name="old", vrid=54, version=2, password="secret12", advertisement_interval_cs=100)
    virtual = config(vrid=53, virtual_mac=True)
    virtual6 = config6(vrid=53, virtual_mac=True)
    configs = (config6(), unicast, virtual, virtual6, old)
    will = LastWill(configs, signer=Stamp())
    will.prepare()
    made = VirtualInterfaces()
    for of, vip in ((virtual, "10.99.0.103/32"), (virtual6, "fd00:99::103/128")):
        index = made.switch_on(lan.table, lan.index["v0"], of.virtual_mac_address, ipv6=True)
        lan.table.put(index, ip_interface(vip), lease_s=5)
    for vip in ("10.99.0.100/32", "fd00:99::100/128"):
        lan.table.put(lan.index["v0"], ip_interface(vip), lease_s=5)
    lan.frames()
    began = time.monotonic()
    removed = will.fire({"lan6", "unicast", "lan", "old"})
    took = time.monotonic() - began
    assert sorted(removed) == [
        "10.99.0.100/32 on v0",
        "10.99.0.103/32 on v0",
        "fd00:99::100/128 on v0",
        "fd00:99::103/128 on v0",
    ]
    assert took < 0.2
    sent = lan.adverts()
    by_ip = {4: [frame for frame in sent if frame[12:14] == IPV4], 6: [frame for frame in sent if frame[12:14] == IPV6]}
    assert [(frame[34:37].hex(), frame[6:12]) for frame in by_ip[4]] == [
        ("313400", lan.mac()),
        ("313500", virtual.virtual_mac_address),
        ("213600", lan.mac()),
    ]
    assert by_ip[4][0][30:34] == bytes((10, 99, 0, 200))
    assert by_ip[4][0].endswith(b"signed by 10.99.0.1")
    assert b"secret12" in by_ip[4][2]
    assert [(frame[54:57].hex(), frame[6:12]) for frame in by_ip[6]] == [
        ("313300", lan.mac()),
        ("313500", virtual6.virtual_mac_address),
    ]
    assert lan.addresses6() == set()
    assert lan.addresses() == {"10.99.0.1/24": None}
    assert len(lan.ipr.get_links()) == 3
    will.close()


def ns_finds_what_is_held_on_a_virtual_interface(lan):
    """Nobody said that it was Active."""
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    virtual6 = config6(virtual_mac=True)
    index = VirtualInterfaces().switch_on(lan.table, lan.index["v0"], virtual6.virtual_mac_address, ipv6=True)
    lan.table.put(index, ip_interface("fd00:99::100/128"), lease_s=5)
    lan.frames()
    will = LastWill((virtual6,))
    assert will.release_all() == ["fd00:99::100/128 on v0"]
    assert [(frame[6:12], frame[56]) for frame in lan.adverts()] == [(VMAC6, 0)]
    will.close()


if __name__ == "__main__":
    main(globals())
