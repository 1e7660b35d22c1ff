"""The announcer process: VRRP and the VIPs, and nothing else, so that adverts are never late for another's work."""

import gc
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import trio

from hapair import logs, privileges
from hapair.announcer_peer import PeerBridge, make_signer, make_verifiers
from hapair.channel import Channel
from hapair.messages import (
    TO_ANNOUNCER,
    Announce,
    Hold,
    LowerPriority,
    Preempt,
    ReloadRouters,
    Resign,
    Resume,
    RouterReport,
    StartRouters,
    Stop,
    Tell,
    ToPeer,
    Track,
)
from hapair.parent import ParentGoneError, channel_from_arguments, follow
from hapair.standings import Changes, Standings
from vrrp.config import VirtualRouterConfig
from vrrp.events import Effect, Event
from vrrp.interfaces import Interface
from vrrp.linux import open_ports
from vrrp.liveness.swift_end import prepare_swift_end
from vrrp.recording import introduce, record
from vrrp.runner import Runner
from vrrp.running import Recorder
from vrrp.snapshot import RouterSnapshot
from vrrp.tracking import Standing

log = logging.getLogger(__name__)

RESIGN_LIMIT_S = 1.0
THREAD_SWITCH_S = 0.0005
"""How long one of the two threads may keep the interpreter from the other. By default 5 ms: more than a takeover."""


def main() -> None:
    """Entry point: `python -m hapair.announcer FD`."""
    logs.set_up("announcer")
    channel = channel_from_arguments(TO_ANNOUNCER)
    privileges.use_realtime_scheduling()
    sys.setswitchinterval(THREAD_SWITCH_S)
    privileges.lock_memory()
    sys.exit(trio.run(_Announcer(channel).run))


class _Announcer:
    """Translates between the channel and the runner."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._runner: Runner | None = None
        self._peer: PeerBridge | None = None
        self._secret: bytes | None = None
        self._standings = Standings({})
        self._stopping = trio.CancelScope()

    async def run(self) -> int:
        """Until the node says stop or is gone; the VIPs are released before this returns. The exit status."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            status = await self._follow_node()
            nursery.cancel_scope.cancel()
        return status

    async def _run_routers(
        self, start: StartRouters, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()  # the netlink thread collects after each of its jobs: here a collection would make an advert late
        self._standings = Standings({router.name: router.priority for router in start.routers}, start.tracked)
        verifiers = make_verifiers(start.secret, start.routers)
        bridge = PeerBridge(
            start.link, epoch=start.epoch, verifiers=verifiers, tell=self._channel.post, changed=self._report_now
        )
        with ExitStack() as stack:
            async with open_ports(
                start.routers, watched=self._standings.watched, witnesses=start.witnesses
            ) as self._ports:
                self._secret = start.secret
                record_event, introduce_router = _open_recording(start, stack)
                self._runner = bridge.runner = Runner(
                    start.routers,
                    ports=self._ports,
                    observe=self.observe,
                    peer=bridge,
                    signer=make_signer(start.secret, start.epoch),
                    verifiers=verifiers,
                    record=record_event,
                    introduce=introduce_router,
                    watch=self._watch,
                )
                self._peer = bridge
                self._runner.stay_backup(stay=start.stays_backup)
                prepare_swift_end()  # every other thread runs by now
                async with trio.open_nursery() as nursery:
                    if bridge.link is not None:
                        await nursery.start(bridge.link.run)
                    await self._runner.run(task_status=task_status)

    def observe(self, _: RouterSnapshot) -> None:
        """A transition: tell the node now, not with the next heartbeat."""
        if self._peer is not None:
            self._peer.sources_may_have_changed()
        self._report_now()

    def _report_now(self) -> None:
        self._channel.post(self._report(), key="beat")

    def _report(self) -> RouterReport:
        if self._runner is None:
            return RouterReport(())
        return RouterReport(
            self._runner.snapshot(),
            link=self._peer.snapshot() if self._peer else None,
            fence=self._ports.addresses.fence_snapshot(),
        )

    async def _follow_node(self) -> int:
        try:
            with self._stopping:
                await follow(self._channel, self._handle, self._report)
        except ParentGoneError as gone:
            log.error("resigning", extra={"reason": gone})
            await self._resign(str(gone))
            return 1
        return 0

    async def _handle(self, message: Any, _: list[int]) -> None:
        match message:
            case StartRouters():
                await self._nursery.start(self._run_routers, message)
            case Resign(reason, stay):
                await self._resign(reason, stay=stay)
            case Stop():
                await self._resign("this node stops")
                self._stopping.cancel()
            case ReloadRouters() if self._runner is not None:
                await self._reload(self._runner, message)
            case _ if self._runner is not None:
                self._command(self._runner, message)

    async def _reload(self, runner: Runner, message: ReloadRouters) -> None:
        """Adverts go out meanwhile: whatever waits for the kernel does so in its thread."""
        assert self._peer is not None
        assert self._ports.witnesses is not None
        verifiers = make_verifiers(self._secret, message.routers, self._peer.verifiers)
        self._peer.reload(message.link, verifiers)
        self._ports.witnesses.reconfigure(message.witnesses)
        await runner.reconfigure(
            message.routers,
            standings=lambda: self._stand_anew(message),
            verifiers=verifiers,
            watched={track.interface for tracks in message.tracked.values() for track in tracks},
        )
        self._peer.sources_may_have_changed()
        self._report_now()

    def _stand_anew(self, message: ReloadRouters) -> dict[str, Standing]:
        priorities = {router.name: router.priority for router in message.routers}
        self._standings = self._standings.reconfigured(priorities, message.tracked)
        for name in self._standings.watched:
            self._standings.interface_changed(self._ports.interfaces.current(name))
        return {name: Standing(*pair) for name, pair in self._standings.all().items()}

    def _command(self, runner: Runner, message: Any) -> None:
        match message:
            case Resume():
                runner.resume()
            case LowerPriority(priority):
                self._apply(self._standings.lowered(priority))
            case Track(router, tracked):
                self._apply(self._standings.told(router, tracked))
            case Preempt():
                runner.stay_backup(stay=False)
            case Hold(hold):
                runner.hold_back(hold=hold)
            case Announce():
                runner.announce()
            case Tell(routers, event):
                runner.tell(routers, event)
            case ToPeer(data) if self._peer is not None:
                self._peer.say(data)

    def _watch(self, interface: Interface) -> None:
        self._apply(self._standings.interface_changed(interface))

    def _apply(self, changes: Changes) -> None:
        assert self._runner is not None
        for router, (priority, closed) in changes.items():
            if router not in self._runner.names:  # it is just leaving
                continue
            self._runner.set_priority(router, priority)
            self._runner.set_gate(router, "tracking", closed)

    async def _resign(self, reason: str, *, stay: bool = False) -> None:
        if self._runner is not None:
            with trio.move_on_after(RESIGN_LIMIT_S, shield=True):
                await self._runner.resign(reason, stay=stay)


def _open_recording(
    start: StartRouters, stack: ExitStack
) -> tuple[Recorder | None, Callable[[VirtualRouterConfig], None] | None]:
    """Line by line, so that a recording of a killed process is whole but for its last line."""
    if start.record_to is None:
        return None, None
    file = stack.enter_context(Path(start.record_to).open("w", buffering=1))  # noqa: SIM115 - closed by the stack

    def write(router: str, at: float, event: Event, effects: Sequence[Effect]) -> None:
        file.write(f"{record(router, at, event, effects)}\n")

    return write, lambda router: print(introduce(router), file=file)


if __name__ == "__main__":
    main()
