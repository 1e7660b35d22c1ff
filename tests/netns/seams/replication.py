"""Flows told from one process to another while a real kernel loses events: nothing is lost for good."""

import subprocess
from functools import partial
from ipaddress import ip_address

import trio
from lan import main

from balancer.kernel import ctnetlink
from balancer.kernel.conntrack import SEEN_REPLY, TCP, UDP, Flow, Tcp
from balancer.kernel.flows import Door, Drop, Put
from hapair.replication.process import Replication
from vrrp.liveness.config import LinkConfig

VIP, SERVER = ip_address("192.0.2.100").packed, ip_address("192.0.2.21").packed
LISTEN = {"web": (Door(TCP, VIP, 80),), "dns": (Door(UDP, VIP, 53),)}
FLOWS = 3000


def flow(number):
    client, port = ip_address("198.51.100.1").packed, 10_000 + number
    if number % 10:
        return Flow(TCP, client, port, VIP, 80, SERVER, 80, VIP, port, 0x0E, 3600, Tcp(3, (7, 7), (1, 1)))
    return Flow(UDP, client, port, VIP, 53, SERVER, 53, VIP, port, SEEN_REPLY, 3600, None)


def link(node, peer):
    ends = {"a": ip_address("127.0.0.1"), "b": ip_address("127.0.0.2")}
    return LinkConfig(
        node=node, peer=peer, address=ends[node], peer_address=ends[peer], port=1340, secret=bytes(32), interval_s=0.1
    )


async def until(condition):
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - reports are for who asks
            await trio.sleep(0.02)


def ns_events_that_were_lost_lead_to_a_resync(lan):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    async def story():
        here = Replication(link("a", "b"), LISTEN, open_events=partial(ctnetlink.open_events, buffer_bytes=4096))
        there = Replication(link("b", "a"), {})  # it enters nothing: both have one kernel here
        async with trio.open_nursery() as nursery:
            nursery.start_soon(here.run)
            nursery.start_soon(there.run)
            here.set_active(["web", "dns"])
            await until(lambda: here.report().up and here.report().resyncs >= 1)
            entries = ctnetlink.Entries()
            for start in range(0, FLOWS, 500):  # each at once, without a turn for whoever hears of it
                entries.enter(Put(flow(number)) for number in range(start, start + 500))
                await trio.sleep(0.05)
            await until(lambda: here.report().told == FLOWS and not here.report().waiting)
            report = here.report()
            assert report.overruns >= 1, report
            assert report.resyncs >= 2, report
            assert report.open == {"web": 2700, "dns": 300}, report
            assert there.report().received >= FLOWS
            assert sum(1 for _ in ctnetlink.flows(is_ipv6=False)) >= FLOWS
            # Ends that no event tells of are found by the next resync.
            entries.enter(Drop(flow(number).key) for number in range(1000))
            await until(lambda: here.report().told == FLOWS - 1000 and not here.report().waiting)
            assert here.report().lag_s < 5
            nursery.cancel_scope.cancel()
        entries.close()

    trio.run(story)


if __name__ == "__main__":
    main(globals())
