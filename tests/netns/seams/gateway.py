"""A tracked gateway that answers, falls silent, and is found by its route."""

import socket
from ipaddress import ip_address

import trio
from lan import Machine, main

from hapair.tracking.gateway import Gateway
from hapair.tracking.watch import Finding

V4, V6 = ip_address("10.99.0.200"), ip_address("fe80::200")


def look(gateway, limit_s=0.3):
    return trio.run(gateway.look, limit_s)


def ns_by_its_address(lan):
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    other = Machine(lan, "10.99.0.200/24", "fe80::200/64")
    here, six, none = Gateway("v0", 4, V4), Gateway("v0", 6, V6), Gateway("v0", 4, ip_address("10.99.0.201"))
    assert look(here) == Finding(True, "10.99.0.200 answers")
    assert look(six) == Finding(True, "fe80::200 answers")
    assert look(none) == Finding(False, "10.99.0.201 does not answer")
    other.close()
    lan.set("v1", "down")
    assert not look(here).passed
    assert not look(six).passed
    for gateway in (here, six, none):
        gateway.close()


def ns_by_the_default_route(lan):
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    other = Machine(lan, "10.99.0.200/24", "fe80::200/64")
    four, six = Gateway("v0", 4, None), Gateway("v0", 6, None)
    assert look(four) == Finding(False, "there is no default route by v0")
    assert look(six) == Finding(False, "there is no default route by v0")
    lan.ipr.route("add", dst="default", gateway="10.99.0.200", oif=lan.index["v0"])
    lan.ipr.route("add", dst="default", gateway="fe80::200", oif=lan.index["v0"], family=socket.AF_INET6)
    assert look(four) == Finding(True, "10.99.0.200 answers")
    assert look(six) == Finding(True, "fe80::200 answers")
    other.close()
    four.close()
    six.close()


def ns_without_the_interface(lan):
    lan.up("10.99.0.1/24")
    gateway = Gateway("v0", 4, V4)
    lan.set("v0", "down")
    assert not look(gateway).passed
    lan.ipr.link("del", index=lan.index["v0"])
    assert look(gateway) == Finding(False, "10.99.0.200 cannot be asked by v0: No such file or directory")
    gateway.close()


if __name__ == "__main__":
    main(globals())
