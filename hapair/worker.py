"""A worker process: the proxy plane on one core. It gives up every capability before it reads a client's first byte."""

import logging
import os
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Sequence
from typing import Any

import trio

from balancer.drivers import run_with_trio_as_guest
from balancer.engine import Engine
from balancer.fieldtypes import Endpoint
from balancer.persistence.memory import Memory
from balancer.reactor import Reactor
from balancer.serve import settle_memory
from balancer.slots import Slots
from balancer.tls.material import Material
from hapair import logs, privileges
from hapair.channel import Channel, ChannelClosedError
from hapair.messages import (
    TO_WORKER,
    TRANSPARENT,
    Drain,
    ForgetSources,
    FrontendRole,
    Heartbeat,
    LogsReopened,
    Order,
    Reload,
    Reloaded,
    Renew,
    Serve,
    ServerErrors,
    ServerStanding,
    Serving,
    Sources,
)
from hapair.orders import obey
from hapair.parent import ParentGoneError, channel_from_arguments, follow
from hapair.persistence.teller import Teller

log = logging.getLogger(__name__)


def main() -> None:
    """Entry point: `python -m hapair.worker FD`, and TRANSPARENT where servers are to see the clients' addresses."""
    logs.set_up("worker")
    channel = channel_from_arguments(TO_WORKER)
    privileges.drop_all(keep=(privileges.CAP_NET_RAW,) if TRANSPARENT in sys.argv[2:] else ())
    reactor = Reactor()
    sys.exit(run_with_trio_as_guest(reactor, _work, channel, reactor))


async def _work(channel: Channel, reactor: Reactor) -> int:
    try:
        serve, fds = await channel.receive()
    except ChannelClosedError:
        return 1
    assert isinstance(serve, Serve)
    memory = Memory(serve.cookie_key, time.monotonic, time.time)
    teller = Teller(memory, channel.post)
    worker = _Worker(channel, _engine(reactor, serve, fds, channel, memory), serve.config.drain_s, teller)
    for role in serve.roles:
        worker.follow_role(role)
    settle_memory()
    channel.post(Serving())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(teller.run)
        status = await worker.follow_node()
        nursery.cancel_scope.cancel()
    return status


def _engine(reactor: Reactor, serve: Serve, fds: list[int], channel: Channel, memory: Memory) -> Engine:
    def tell_errors(pool: str, server: str, reason: str) -> None:
        channel.post(ServerErrors(pool, server, reason), key=("errors", pool, server))

    slots = Slots.attach(serve.config, serve.workers, fds[0])
    first_log = 1 + len(serve.listen)
    first_datagrams = first_log + len(serve.logs)
    engine = Engine(reactor, slots, serve.worker, on_errors=tell_errors, memory=memory)
    engine.apply(
        serve.config,
        _sockets(serve.listen, fds[1:first_log]),
        serve.material,
        dict(zip(serve.logs, fds[first_log:first_datagrams], strict=True)),
        _sockets(serve.datagrams, fds[first_datagrams:]),
    )
    return engine


def _sockets(endpoints: Sequence[Endpoint], fds: Sequence[int]) -> dict[Endpoint, socket.socket]:
    return {endpoint: socket.socket(fileno=fd) for endpoint, fd in zip(endpoints, fds, strict=True)}


class _Worker:
    """Translates between the channel and the engine."""

    def __init__(self, channel: Channel, engine: Engine, drain_s: float, teller: Teller) -> None:
        self._channel = channel
        self._engine = engine
        self._drain_s = drain_s
        self._teller = teller
        self._stopping = trio.CancelScope()

    async def follow_node(self) -> int:
        """Until the node says drain or is gone; open connections are finished before this returns."""
        try:
            with self._stopping:
                await follow(self._channel, self._handle, self._beat)
        except ParentGoneError as gone:
            log.error("draining", extra={"reason": gone})
            await self._engine.drain(self._drain_s)
            return 1
        return 0

    def _beat(self) -> Heartbeat:
        self._engine.heartbeat()
        self._teller.count()
        return Heartbeat()

    def _handle(self, message: Any, fds: list[int]) -> Awaitable[None] | None:
        match message:
            case FrontendRole():
                self.follow_role(message)
            case ServerStanding(pool, server, standing):
                self._engine.set_standing(pool, server, standing)
            case Reload():
                self._channel.post(Reloaded(message.serial, self._reload(message, fds)))
            case Sources() | ForgetSources():
                self._teller.hear(message)
            case Order():
                self._channel.post(obey(self._engine, message))
            case Renew(material):
                self._renew(material)
            case LogsReopened(paths):
                for path, fd in zip(paths, fds, strict=True):
                    self._engine.replace_log(path, fd)
            case Drain(limit_s, has_successor):
                if has_successor:
                    self._engine.leave_sockets()
                return self._drain(limit_s)
        return None

    async def _drain(self, limit_s: float) -> None:
        """Finish what is open. Meanwhile the node goes on hearing that this process lives."""
        await self._engine.drain(limit_s)
        self._stopping.cancel()

    def _reload(self, reload: Reload, fds: list[int]) -> str | None:
        """Why it could not be done: then nothing has changed."""
        slots = Slots.attach(reload.config, reload.workers, fds.pop(0)) if reload.new_slots else None
        first_log = len(reload.listen)
        first_datagrams = first_log + len(reload.logs)
        listening = _sockets(reload.listen, fds[:first_log])
        datagrams = _sockets(reload.datagrams, fds[first_datagrams:])
        logs = dict(zip(reload.logs, fds[first_log:first_datagrams], strict=True))
        try:
            self._engine.apply(reload.config, listening, reload.material, logs, datagrams, slots)
        except ssl.SSLError as error:  # the node has tried it all; libraries may still differ in what they take
            log.error("not reloaded", extra={"reason": error})
            for one in (*listening.values(), *datagrams.values()):
                one.close()
            for fd in logs.values():
                os.close(fd)
            return f"certificates: {error}"
        self._drain_s = reload.config.drain_s
        for role in reload.roles:
            self.follow_role(role)
        return None

    def _renew(self, material: Material) -> None:
        try:
            self._engine.renew(material)
        except ssl.SSLError as error:  # the node has tried it all; libraries may still differ in what they take
            log.error("certificates not renewed", extra={"reason": error})

    def follow_role(self, role: FrontendRole) -> None:
        """A frontend's VIP came or went."""
        if role.active:
            self._engine.activate(role.frontend)
        else:
            self._engine.stand_by(role.frontend, lives_on=role.lives_on)


if __name__ == "__main__":
    main()
