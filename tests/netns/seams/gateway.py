"""A tracked gateway that answers, falls silent, and is found by its route."""

import socket
from ipaddress import ip_address

import trio
from lan import Machine, main

from hapair.tracking.gateway import Gateway
from hapair.tracking.watch import Finding

V4, V6 = ip_address("10.99.0.200"), ip_address("fe80::200")
SILENCE_S, LOOKS = 0.3, 15


async def soon(gateway):
    """What a look finds once the other machine's addresses are ready, which its kernel takes a moment for."""
    for _ in range(LOOKS):
        found = await gateway.look(SILENCE_S)
        if found.passed:
            break
    return found


def ns_by_its_address(lan):
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    other = Machine(lan, "10.99.0.200/24", "fe80::200/64")

    async def main():
        four, six, none = Gateway("v0", 4, V4), Gateway("v0", 6, V6), Gateway("v0", 4, ip_address("10.99.0.201"))
        assert await soon(four) == Finding(True, "10.99.0.200 answers")
        assert await soon(six) == Finding(True, "fe80::200 answers")
        assert await none.look(SILENCE_S) == Finding(False, "10.99.0.201 does not answer")
        other.run("ip", "link", "set", "v1", "down")
        assert not (await four.look(SILENCE_S)).passed
        assert not (await six.look(SILENCE_S)).passed
        for gateway in (four, six, none):
            gateway.close()

    trio.run(main)
    other.close()


def ns_by_the_default_route(lan):
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    other = Machine(lan, "10.99.0.200/24", "fe80::200/64")

    async def main():
        four, six = Gateway("v0", 4, None), Gateway("v0", 6, None)
        assert await four.look(SILENCE_S) == Finding(False, "there is no default route by v0")
        assert await six.look(SILENCE_S) == Finding(False, "there is no default route by v0")
        lan.ipr.route("add", dst="0.0.0.0/0", gateway="10.99.0.200", oif=lan.index["v0"])
        lan.ipr.route("add", dst="::/0", gateway="fe80::200", oif=lan.index["v0"], family=socket.AF_INET6)
        assert await soon(four) == Finding(True, "10.99.0.200 answers")
        assert await soon(six) == Finding(True, "fe80::200 answers")
        four.close()
        six.close()

    trio.run(main)
    other.close()


def ns_without_the_interface(lan):
    lan.up("10.99.0.1/24")

    async def main():
        gateway = Gateway("v0", 4, V4)
        lan.set("v0", "down")
        assert not (await gateway.look(SILENCE_S)).passed
        lan.ipr.link("del", index=lan.index["v0"])
        assert await gateway.look(SILENCE_S) == Finding(False, "10.99.0.200 cannot be asked by v0: No such device")
        gateway.close()

    trio.run(main)


if __name__ == "__main__":
    main(globals())
