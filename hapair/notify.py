"""Runs the commands that want to know of transitions: for each virtual router in order, one by one, in nobody's way."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import trio

from hapair.processes import Programs, Run
from vrrp.config import VirtualRouterConfig

log = logging.getLogger(__name__)

LIMIT_S = 30.0
"""A command that takes longer is killed with all of its process group."""
WAITING = 4
"""How many transitions of one router may wait for the command before; more, and the oldest is left out."""


class Seen(Protocol):
    """What is read of a `vrrp.snapshot.RouterSnapshot`."""

    @property
    def state(self) -> str: ...

    @property
    def priority(self) -> int: ...

    @property
    def last_reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Transition:
    """What a command is told."""

    router: str
    state: str
    old_state: str
    priority: int
    reason: str

    def environment(self, node: str, vips: Sequence[str]) -> dict[str, str]:
        """The variables of the command's environment."""
        return {
            "HAPAIR_NODE": node,
            "HAPAIR_ROUTER": self.router,
            "HAPAIR_STATE": self.state,
            "HAPAIR_OLD_STATE": self.old_state,
            "HAPAIR_PRIORITY": str(self.priority),
            "HAPAIR_REASON": self.reason.replace("\0", ""),
            "HAPAIR_VIPS": " ".join(vips),
        }


@dataclass(slots=True)
class _Router:
    """One virtual router that has a command."""

    config: VirtualRouterConfig
    command: Sequence[str]
    state: str | None = "Initialize"
    """None: whatever it is told to be first."""
    waiting: deque[Transition] = field(default_factory=deque)
    running: bool = False
    more: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class Notifier:
    """The commands of all virtual routers of `node`. Nothing runs before `run` does; what is told until then waits."""

    def __init__(
        self,
        node: str,
        routers: Sequence[VirtualRouterConfig],
        commands: Mapping[str, Sequence[str]],
        *,
        run: Run | None = None,
    ) -> None:
        self._node = node
        self._run = run or Programs().run
        self._routers = {one.name: _Router(one, commands[one.name]) for one in routers if commands.get(one.name)}
        self._settled = trio.Event()
        self._nursery: trio.Nursery | None = None

    def hear(self, snapshots: Mapping[str, Seen]) -> None:
        """The routers as they are now. One that is missing is Initialize: its announcer is gone. Never blocks."""
        for transition in self._transitions(snapshots):
            router = self._routers[transition.router]
            router.state = transition.state
            self._put(router, transition)

    def _transitions(self, snapshots: Mapping[str, Seen]) -> Iterator[Transition]:
        for name, router in self._routers.items():
            seen = snapshots.get(name)
            state = "Initialize" if seen is None else seen.state
            if router.state is None:
                router.state = state
            if state == router.state:
                continue
            if seen is None:
                yield Transition(name, state, router.state, router.config.priority, "the announcer does not run")
            else:
                yield Transition(name, state, router.state, seen.priority, seen.last_reason)

    def _put(self, router: _Router, transition: Transition) -> None:
        router.waiting.append(transition)
        if len(router.waiting) > WAITING:
            skipped = router.waiting.popleft()
            fields = {"router": skipped.router, "state": skipped.state, "command": router.command[0]}
            log.warning("notify is behind; a transition is left out", extra=fields)
        router.more.set()

    async def run(self) -> None:
        """For ever; to end it, cancel it."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(trio.sleep_forever)
            for router in self._routers.values():
                self._nursery.start_soon(self._serve, router)

    def reload(self, routers: Sequence[VirtualRouterConfig], commands: Mapping[str, Sequence[str]]) -> None:
        """Run these commands from now on. A router that gets one is taken to be what it is told to be first."""
        before, self._routers = self._routers, {}
        for config in routers:
            command = commands.get(config.name)
            if not command:
                continue
            if (known := before.get(config.name)) is None:
                known = _Router(config, command, state=None)
                if self._nursery is not None:
                    self._nursery.start_soon(self._serve, known)
            known.config, known.command = config, command
            self._routers[config.name] = known
        for name, gone in before.items():
            if name not in self._routers:
                gone.scope.cancel()

    async def finish(self, limit_s: float) -> None:
        """Wait until everything that was told has been carried out, at most for `limit_s`."""
        with trio.move_on_after(limit_s):
            while any(router.waiting or router.running for router in self._routers.values()):
                self._settled = trio.Event()
                await self._settled.wait()

    async def _serve(self, router: _Router) -> None:
        with router.scope:
            await self._keep_serving(router)

    async def _keep_serving(self, router: _Router) -> None:
        while True:
            await router.more.wait()
            router.more = trio.Event()
            router.running = True
            while router.waiting:
                await self._carry_out(router, router.waiting.popleft())
            router.running = False
            self._settled.set()

    async def _carry_out(self, router: _Router, transition: Transition) -> None:
        vips = [str(vip) for vip in router.config.all_vips]
        ended = await self._run(router.command, transition.environment(self._node, vips), LIMIT_S)
        fields = {"router": transition.router, "state": transition.state, "how": ended.how, "said": ended.output}
        log.log(logging.INFO if ended.ok else logging.WARNING, "notify", extra=fields)
