"""The flows process of a node: flows of the kernel plane are told to the other node as they come and go."""

import logging
from ipaddress import ip_address
from typing import Any

import trio

from balancer.kernel.conntrack import TCP, UDP
from balancer.kernel.flows import Door
from hapair import logs
from hapair.messages import TO_FLOWS, ActiveFrontends, Heartbeat, KernelFrontend, StartFlows
from hapair.parent import ParentGoneError, channel_from_arguments, follow
from hapair.replication.process import Replication

log = logging.getLogger(__name__)


def main() -> None:
    """`python -m hapair.flows FD`"""
    logs.set_up("flows")
    trio.run(_run)


async def _run() -> None:
    channel = channel_from_arguments(TO_FLOWS)
    replication: Replication | None = None

    async with trio.open_nursery() as nursery:

        def handle(message: Any, _: list[int]) -> None:
            nonlocal replication
            match message:
                case StartFlows(link, frontends):
                    replication = Replication(link, {one.name: doors_of(one) for one in frontends})
                    nursery.start_soon(replication.run)
                case ActiveFrontends(names) if replication is not None:
                    replication.set_active(names)

        try:
            await follow(channel, handle, lambda: Heartbeat() if replication is None else replication.report())
        except ParentGoneError as gone:
            log.info("ending", extra={"reason": gone})
        nursery.cancel_scope.cancel()


def doors_of(frontend: KernelFrontend) -> tuple[Door, ...]:
    """Where its flows arrive: a door for each port."""
    protocol = TCP if frontend.protocol == "tcp" else UDP
    return tuple(Door(protocol, ip_address(one.host).packed, port) for one in frontend.listen for port in one.all_ports)


if __name__ == "__main__":
    main()
