"""The node keeps an announcer running, and stands in for it in the moment of its death."""

import dataclasses
import logging
from collections.abc import Callable

import trio

from hapair.announcer_peer import make_signer
from hapair.child import Child, start_child
from hapair.fitness import Fitness, WorkerState, judge
from hapair.messages import (
    FROM_ANNOUNCER,
    FromPeer,
    Hold,
    LowerPriority,
    Preempt,
    ReloadRouters,
    Resign,
    Resume,
    RouterReport,
    StartRouters,
    Stop,
    Track,
)
from hapair.restart import Restarts
from vrrp.authentication import LAST_WILL_COUNTER, Signer
from vrrp.config import VirtualRouterConfig
from vrrp.last_will import LastWill
from vrrp.liveness.config import LinkSnapshot
from vrrp.snapshot import FenceSnapshot, RouterSnapshot

log = logging.getLogger(__name__)

STOP_LIMIT_S = 2.0


class AnnouncerWatch:
    """Starts the announcer, hears its reports, restarts it."""

    def __init__(
        self,
        opening: StartRouters,
        will: LastWill,
        *,
        next_epoch: Callable[[], int],
        on_report: Callable[[], None],
        on_message: Callable[[bytes], None],
    ) -> None:
        """`opening`: what each announcer is started with, but for its epoch. `on_message`: the peer's node speaks."""
        self.snapshots: dict[str, RouterSnapshot] = {}
        self.link: LinkSnapshot | None = None
        self.fence: FenceSnapshot | None = None
        self.pid: int | None = None
        self.restarts = 0
        self.ended = ""
        """How the last one ended."""
        self._template = opening
        self._routers = opening.routers
        self._will = will
        self._next_epoch = next_epoch
        self._on_report = on_report
        self._on_message = on_message
        self._tracked: dict[str, Track] = {}
        self._stays_backup = False
        self._holds_back = False
        self._fitness = judge([WorkerState.STARTING])
        self._opening: StartRouters | None = None
        self._signer: Signer | None = None
        self._meek = False
        self._child: Child | None = None
        self._replaced: Child | None = None
        """One that was told to end: there were no virtual routers any more."""
        self._changed = trio.Event()
        self._stopping = False

    @property
    def is_needed(self) -> bool:
        """A node without virtual routers has no announcer."""
        return bool(self._routers)

    def states(self) -> dict[str, str]:
        """The state of each virtual router; Initialize where nothing runs."""
        states = {router.name: "Initialize" for router in self._routers}
        return states | {name: one.state for name, one in self.snapshots.items() if name in states}

    def reload(self, opening: StartRouters, will: LastWill) -> None:
        """Have the announcer go on with another opening, in place. Without virtual routers it resigns and ends."""
        self._template, self._routers = opening, opening.routers
        names = {router.name for router in opening.routers}
        self._tracked = {name: track for name, track in self._tracked.items() if name in names}
        self._will.close()
        self._will = will
        self._will.sign_with(self._signer)
        self._will.prepare()
        self._changed.set()
        if self._child is None or self._replaced is self._child:
            return
        if not opening.routers:
            self._replaced = self._child
            self._child.channel.post(Stop())
        elif self._opening is not None:
            self._opening = self._opening_with(self._opening.epoch)
        else:
            self._child.channel.post(
                ReloadRouters(
                    routers=self._meek_or_not(),
                    link=opening.link,
                    witnesses=opening.witnesses,
                    tracked=opening.tracked,
                )
            )

    async def run(self) -> None:
        """Keep it running until `stop`, as long as there are virtual routers."""
        self._will.prepare()
        deaths = Restarts()
        while not self._stopping:
            if not self._routers:
                self._changed = trio.Event()
                await self._changed.wait()
                continue
            self._child = await start_child("hapair.announcer", name="announcer", known=FROM_ANNOUNCER)
            self.pid = self._child.process.pid
            self._brief(self._child, deaths)
            how = await self._child.follow(self._hear, self._stand_in)
            is_replaced, self._replaced = self._replaced is self._child, None
            self._bury(how, as_wanted=is_replaced or self._stopping)
            if is_replaced:
                continue
            delay_s = deaths.died(trio.current_time())
            if not self._stopping:
                self.restarts += 1
                await trio.sleep(delay_s)

    def _brief(self, child: Child, deaths: Restarts) -> None:
        self._meek = deaths.keeps_failing(trio.current_time())
        epoch = self._next_epoch()
        self._signer = make_signer(self._template.secret, epoch, LAST_WILL_COUNTER)
        self._will.sign_with(self._signer)
        self._opening = self._opening_with(epoch)
        self._say_fitness(child)

    def _opening_with(self, epoch: int) -> StartRouters:
        routers, stays = self._meek_or_not(), self._stays_backup
        return dataclasses.replace(self._template, routers=routers, epoch=epoch, stays_backup=stays)

    def _meek_or_not(self) -> tuple[VirtualRouterConfig, ...]:
        """An announcer that keeps failing does not preempt."""
        if not self._meek:
            return self._routers
        return tuple(dataclasses.replace(router, preempt=False) for router in self._routers)

    def _hear(self, message: object) -> None:
        if isinstance(message, FromPeer):
            self._on_message(message.data)
            return
        assert isinstance(message, RouterReport)
        self.snapshots = {router.name: router for router in message.routers}
        self.link, self.fence = message.link, message.fence
        if message.routers:
            self._stays_backup = any(router.stays_backup for router in message.routers)
        self._on_report()

    def post(self, message: object) -> None:
        """Tell the announcer something. Lost where none runs."""
        if self._child is not None and self._opening is None:
            self._child.channel.post(message)

    def track(self, message: Track) -> None:
        """What a virtual router's standing depends on now; an announcer that is started later hears it too."""
        self._tracked[message.router] = message
        self.post(message)

    def preempt(self) -> tuple[str, ...] | None:
        """Preempt again as configured. Names those that had stayed Backup; None: no announcer runs."""
        if self._child is None:
            return None
        self._stays_backup = False
        self.post(Preempt())
        return tuple(name for name, snapshot in self.snapshots.items() if snapshot.stays_backup)

    def hold_back(self, hold: bool) -> None:
        """Whether to wait with taking VIPs from a living peer."""
        if hold != self._holds_back:
            self._holds_back = hold
            self.post(Hold(hold))

    def _stand_in(self) -> None:
        """The announcer is dying: what it held is released here and now, and the peer told."""
        assert self._child is not None
        active = [name for name, snapshot in self.snapshots.items() if snapshot.state == "Active"]
        self.snapshots, self.link, self.fence = {}, None, None
        if active or not (self._stopping or self._replaced is self._child):
            self._child.kill()  # whatever closed its channel: two must not act for one node
            removed = self._will.fire(active)
            self._stays_backup = self._stays_backup or bool(active)  # to resign for it is to resign
            log.error("standing in for the announcer", extra={"released": ",".join(removed) or "nothing"})
        self._on_report()

    def _bury(self, how: str, *, as_wanted: bool) -> None:
        assert self._child is not None
        self._child.channel.close()
        self._child, self.pid, self.ended = None, None, how
        if not as_wanted:
            log.error("the announcer is gone", extra={"how": how})

    @property
    def why_lowered(self) -> str:
        """What of the node itself has its virtual routers go last; empty: nothing."""
        return "" if self._fitness.lowered is None else self._fitness.reason

    def set_fitness(self, fitness: Fitness) -> None:
        """Whether this node may hold VIPs, as far as its own health goes."""
        if fitness == self._fitness:
            return
        self._fitness = fitness
        if fitness.present:
            self._stays_backup = True  # also where it was handed over before this start
            if self._opening is not None:
                self._opening = dataclasses.replace(self._opening, stays_backup=True)
        if self._child is not None:
            self._say_fitness(self._child)

    def _say_fitness(self, child: Child) -> None:
        """An announcer hears of its routers when the node is fit for the first time: before, it has nothing to say."""
        if self._opening is not None:
            if not (self._fitness.takes_part or self._fitness.present):
                return
            child.channel.post(self._opening)
            self._opening = None
            for tracked in self._tracked.values():
                child.channel.post(tracked)
            if self._holds_back:
                child.channel.post(Hold(True))
        child.channel.post(LowerPriority(self._fitness.lowered), key="priority")
        child.channel.post(Resume() if self._fitness.takes_part else Resign(self._fitness.reason), key="fitness")

    async def stop(self) -> None:
        """Resign: priority 0 to the peer, VIPs released, the process gone."""
        self._stopping = True
        if self._child is not None:
            child = self._child
            child.channel.post(Stop())
            await child.end(STOP_LIMIT_S)
