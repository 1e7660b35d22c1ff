"""Witnesses that answer, and what is no answer of theirs."""

from ipaddress import ip_address

import pytest
import trio
from lan import IPV6, PEER_MAC, Machine, main

from vrrp.frames import icmpv6
from vrrp.linux.witness import LanWitnesses

V4, V6, LINK_LOCAL = ip_address("10.99.0.200"), ip_address("fd00:99::200"), ip_address("fe80::200")
OURS = ip_address("10.99.0.1")


def ns_another_machine_answers(lan):
    """Each witness by its family, whatever the family of the router that asks."""
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    other = Machine(lan, "10.99.0.200/24", "fd00:99::200/64", "fe80::200/64")

    async def main():
        for witness in (V4, V6, LINK_LOCAL):
            witnesses = LanWitnesses({"v0": (witness,), "v9": ()})
            for source in (OURS, lan.link_local()):
                witnesses.ask(lan.interface(), source)
                began = trio.current_time()
                with trio.fail_after(2):
                    assert await witnesses.next_answer() == "v0"
                assert trio.current_time() - began < 0.1
            witnesses.close()

    trio.run(main)
    other.close()


def ns_no_answer(lan):
    """Nobody there; someone else answers; a witness asks instead of answering; the interface is down or gone."""
    lan.up("10.99.0.1/24", "fd00:99::1/64")

    async def main():
        witnesses = LanWitnesses({"v0": (V4, V6)})
        witnesses.ask(lan.interface(), OURS)
        lan.who_has("10.99.0.1")  # a request from V4
        solicited = b"\x88\0\0\0\x60\0\0\0" + ip_address("fd00:99::201").packed
        packet = icmpv6(solicited, ip_address("fd00:99::201"), ip_address("fd00:99::1"))
        lan.witness.send(lan.mac() + PEER_MAC + IPV6 + packet)
        with trio.move_on_after(0.3) as waited:
            await witnesses.next_answer()
        assert waited.cancelled_caught
        interface = lan.interface()
        lan.set("v0", "down")
        witnesses.ask(interface, OURS)
        lan.ipr.link("del", index=lan.index["v0"])
        witnesses.ask(interface, OURS)
        with trio.move_on_after(0.3) as waited:
            await witnesses.next_answer()
        assert waited.cancelled_caught
        witnesses.close()

    trio.run(main)


def ns_others_are_asked_while_somebody_waits(lan):
    """Nobody at first, then one of each family, then nobody again."""
    lan.up("10.99.0.1/24", "fd00:99::1/64")
    other = Machine(lan, "10.99.0.200/24", "fd00:99::200/64")

    async def main():
        witnesses = LanWitnesses()
        answers, answered = trio.open_memory_channel(10)

        async def wait():
            while True:
                answers.send_nowait(await witnesses.next_answer())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(0.05)
            for asked in ({"v0": (V4,)}, {"v0": (V6,)}, {"v0": (V4,)}):
                witnesses.reconfigure(asked)
                witnesses.ask(lan.interface(), OURS)
                with trio.fail_after(2):
                    assert await answered.receive() == "v0"
            witnesses.reconfigure(None)
            witnesses.ask(lan.interface(), OURS)
            with trio.move_on_after(0.2) as waited:
                await answered.receive()
            assert waited.cancelled_caught
            nursery.cancel_scope.cancel()
        witnesses.close()

    trio.run(main)
    other.close()


def ns_closing_wakes(lan):
    """Whoever waits is told."""
    lan.up()

    async def main():
        witnesses = LanWitnesses({"v0": (V4, V6)})
        with trio.fail_after(2), pytest.RaisesGroup(trio.ClosedResourceError):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(witnesses.next_answer)
                await trio.sleep(0.1)
                witnesses.close()

    trio.run(main)


if __name__ == "__main__":
    main(globals())
