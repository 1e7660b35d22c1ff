"""One worker for a whole configuration file: what `hapair up` would serve with, without virtual addresses.

    python tests/peers/worker_of_file.py hapair.yaml NODE

Needs no privileges where the file listens on the loopback. SIGTERM: drain, then end; tells at last of bugs on stdout.
"""

import dataclasses
import signal
import sys
import time
from pathlib import Path

import trio

from balancer.datagrams import open_datagram_sockets
from balancer.drivers import run_with_trio_as_guest
from balancer.engine import Engine
from balancer.listener import open_listeners
from balancer.persistence.memory import Memory
from balancer.reactor import Reactor
from balancer.serve import settle_memory
from balancer.slots import Slots
from hapair.certificates.store import read_all
from hapair.config.load import load
from hapair.config.pages import read_pages
from hapair.config.view import node_view


def main(path: str, node: str) -> None:
    loaded = load(path)
    view = node_view(loaded, node)
    config = dataclasses.replace(view.balancer, files=read_pages(loaded))
    reading = read_all(config, Path(path).parent, time.time())
    assert not reading.troubles, reading.troubles
    doors = config.stream_frontends()
    listeners = open_listeners(doors, doors)
    datagrams = {each: one for each, (one,) in open_datagram_sockets(config.datagram_listeners(), 1).items()}
    reactor = Reactor()
    memory = Memory(bytes(32), time.monotonic, time.time)
    engine = Engine(reactor, Slots.create(config, workers=1), 0, memory=memory)
    engine.apply(config, listeners, reading.material, datagram_sockets=datagrams)
    settle_memory()
    run_with_trio_as_guest(reactor, _until_told, engine, config.drain_s)
    print(f"bugs: {engine.snapshot().bugs}", flush=True)


async def _until_told(engine: Engine, drain_s: float) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            break
    await engine.drain(drain_s)


if __name__ == "__main__":
    main(*sys.argv[1:])
