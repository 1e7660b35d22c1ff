"""Looks at what virtual routers track, again and again, and tells of what changes."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import trio

from hapair.config.tracks import TrackedFile, TrackedGateway, TrackedScript
from hapair.config.view import RouterTracks
from hapair.processes import Programs, Run
from hapair.tracking.files import FileReader
from hapair.tracking.findings import of_pool, of_script
from hapair.tracking.gateway import Gateway
from hapair.tracking.watch import Finding, Watch, next_at
from vrrp.config import VirtualRouterConfig
from vrrp.tracking import Tracked

log = logging.getLogger(__name__)

OnChange = Callable[[str, tuple[Tracked, ...]], None]
"""Called with a virtual router and everything that it tracks, as it is now."""
Look = Callable[[], Awaitable[Finding]]
_Key = tuple[str, str]
"""A virtual router, and the name of what it tracks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackView:
    """One tracked thing, for people and programs to read."""

    name: str
    """With its kind, for example `script dns`."""
    ok: bool
    weight: int | None
    """None: a gate."""
    reason: str
    """What the last look found."""
    since: float | None
    """When it became so (trio's clock); None: not looked at yet."""


@dataclass(slots=True)
class _Looked:
    """What is looked at once, however many routers track it."""

    look: Look
    interval_s: float
    watches: list[_Key] = field(default_factory=list)


class Tracking:
    """What the virtual routers of this node track, but for interfaces, which the announcer watches.

    Does nothing until `run` is started. A router that tracks nothing here is never spoken of.
    """

    def __init__(
        self,
        routers: Sequence[VirtualRouterConfig],
        tracks: Mapping[str, RouterTracks],
        changed: OnChange,
        *,
        run: Run | None = None,
        gateway: Callable[[VirtualRouterConfig, TrackedGateway], Gateway] | None = None,
    ) -> None:
        self._told_of = (tuple(routers), dict(tracks))
        self._running = trio.CancelScope()
        self._changed = changed
        self._run_program = run or Programs().run
        self._gateway = gateway or _gateway
        self._gateways: list[Gateway] = []
        self._watches: dict[_Key, Watch] = {}
        self._looked: dict[object, _Looked] = {}
        self._pools: dict[str, list[tuple[_Key, int]]] = {}
        for router in routers:
            self._add(router, tracks.get(router.name, RouterTracks()))

    async def run(self) -> None:
        """For ever; to end it, cancel it. What is known to begin with is told first: little is well yet."""
        self._take_servers_to_be_up()
        for router in dict.fromkeys(router for router, _ in self._watches):
            self._changed(router, self.tracked(router))
        try:
            while True:
                with trio.CancelScope() as self._running:
                    await self._look_at_all()
        finally:
            for gateway in self._gateways:
                gateway.close()

    async def _look_at_all(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            for looked in self._looked.values():
                nursery.start_soon(self._keep_looking, looked)

    def reload(self, routers: Sequence[VirtualRouterConfig], tracks: Mapping[str, RouterTracks]) -> None:
        """Look at what these track from now on. What was looked at before stands as it did; what is new stands well
        until it is found otherwise, for nobody is to lose VIPs to a look that was not taken yet."""
        if self._told_of == (tuple(routers), dict(tracks)):
            return
        other = Tracking(routers, tracks, self._changed, run=self._run_program, gateway=self._gateway)
        now = trio.current_time()
        told = {router for router, _ in self._watches} | {router for router, _ in other._watches}
        for key, watch in other._watches.items():
            known = self._watches.get(key)
            other._watches[key] = watch.resumed(known, now)
        for gateway in self._gateways:
            gateway.close()
        self._told_of, self._gateways = other._told_of, other._gateways
        self._watches, self._looked, self._pools = other._watches, other._looked, other._pools
        self._running.cancel()
        for router in sorted(told):
            self._changed(router, self.tracked(router))

    def pool_health(self, healths: Mapping[str, Iterable[bool]]) -> None:
        """For each pool whether each of its servers is UP: now, and whenever one flips. Never blocks."""
        now = trio.current_time()
        for pool, up in healths.items():
            servers = list(up)
            for key, at_least in self._pools.get(pool, ()):
                self._take([key], of_pool(servers, at_least=at_least), now)

    def tracked(self, router: str) -> tuple[Tracked, ...]:
        """Everything that a router tracks here, as it is now."""
        return tuple(watch.tracked for (owner, _), watch in self._watches.items() if owner == router)

    def snapshot(self, router: str) -> tuple[TrackView, ...]:
        """The same, for whoever reads."""
        return tuple(_view(watch) for (owner, _), watch in self._watches.items() if owner == router)

    def _take_servers_to_be_up(self) -> None:
        """As the checks do, which tell of flips alone: a pool that was not spoken of has lost no server."""
        for keys in self._pools.values():
            unknown = [key for key, _ in keys if self._watches[key].since is None]
            for key in unknown:
                self._watches[key] = self._watches[key].after(
                    Finding(True, "no server has flipped"), trio.current_time()
                )

    def _add(self, router: VirtualRouterConfig, tracks: RouterTracks) -> None:
        for name, script in tracks.scripts.items():
            self._watch(router, f"script {name}", script.weight, script, script.rise, script.fall)
        if tracks.gateway is not None:
            gateway = tracks.gateway
            self._watch(router, "gateway", gateway.weight, gateway, gateway.rise, gateway.fall)
        for name, file in tracks.files.items():
            self._watch(router, f"file {name}", file.weight, file, 1, 1)
        for name, pool in tracks.pools.items():
            key = (router.name, f"pool {name}")
            self._watches[key] = Watch.initial(key[1], rise=1, fall=1, weight=pool.weight)
            self._pools.setdefault(name, []).append((key, pool.at_least))

    def _watch(
        self,
        router: VirtualRouterConfig,
        name: str,
        weight: int | None,
        settings: TrackedScript | TrackedGateway | TrackedFile,
        rise: int,
        fall: int,
    ) -> None:
        """Equal settings, weights apart, are looked at once."""
        where = (router.interface, router.family) if isinstance(settings, TrackedGateway) else None
        same = (replace(settings, weight=None), where)
        if same not in self._looked:
            self._looked[same] = _Looked(self._look(router, settings), settings.interval_s)
        self._looked[same].watches.append((router.name, name))
        self._watches[router.name, name] = Watch.initial(name, rise=rise, fall=fall, weight=weight)

    def _look(self, router: VirtualRouterConfig, settings: TrackedScript | TrackedGateway | TrackedFile) -> Look:
        match settings:
            case TrackedScript():
                return lambda: self._run_script(settings)
            case TrackedGateway():
                gateway = self._gateway(router, settings)
                self._gateways.append(gateway)
                return lambda: gateway.look(settings.timeout_s)
            case TrackedFile():
                return FileReader(settings).look

    async def _run_script(self, script: TrackedScript) -> Finding:
        ended = await self._run_program(script.command, {}, script.timeout_s)
        return of_script(ok=ended.ok, how=ended.how, output=ended.output)

    async def _keep_looking(self, looked: _Looked) -> None:
        while True:
            started_at = trio.current_time()
            finding = await looked.look()
            now = trio.current_time()
            self._take(looked.watches, finding, now)
            await trio.sleep_until(next_at(started_at, looked.interval_s, now))

    def _take(self, keys: Iterable[_Key], finding: Finding, now: float) -> None:
        for key in keys:
            before = self._watches[key]
            after = self._watches[key] = before.after(finding, now)
            if after.tracked != before.tracked:
                self._tell(key[0], after.tracked)

    def _tell(self, router: str, tracked: Tracked) -> None:
        fields = {"router": router, "what": tracked.name, "ok": tracked.ok, "reason": tracked.reason}
        log.log(logging.INFO if tracked.ok else logging.WARNING, "track", extra=fields)
        self._changed(router, self.tracked(router))


def _gateway(router: VirtualRouterConfig, settings: TrackedGateway) -> Gateway:
    family = router.family if settings.address is None else settings.address.version
    return Gateway(router.interface, family, settings.address)


def _view(watch: Watch) -> TrackView:
    return TrackView(
        name=watch.name,
        ok=watch.tracked.ok,
        weight=watch.tracked.weight,
        reason=watch.reason,
        since=watch.since,
    )
