"""Runs the checks of all pools, once per node, whatever the number of workers.

Each server is probed by a task of its own, so that a slow one delays no other. What is known is kept as frozen
`Health` values; only flips are told, and `snapshot` shows the rest to whoever asks.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

import trio

from balancer.checks.probes import ProbeResult, probe
from balancer.checks.schedule import first_probe_at, next_probe_at
from balancer.config import Check, Pool
from balancer.fieldtypes import Endpoint
from balancer.health import Health
from balancer.proxyproto import local

OnFlip = Callable[[str, str, bool, str], None]
"""Called with pool, server, whether it is UP now, and the reason."""
Probe = Callable[..., Awaitable[ProbeResult]]
"""Called with the check, the endpoint and, where there is any, what to send first."""


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """One server's health for people and programs to read."""

    up: bool
    text: str
    """`UP`, `UP 2/3`, `DOWN`, `DOWN 1/2`; `no check` where the pool has none."""
    last_result: ProbeResult | None
    probed_at: float | None
    flip_reason: str
    flipped_at: float | None
    """When it last became UP or DOWN (trio's clock); None if never."""


UNCHECKED = ServerHealth(True, "no check", None, None, "", None)


class CheckRunner:
    """The checks of `pools` (by name). Does nothing until `run` is started."""

    def __init__(
        self, pools: Mapping[str, Pool], on_flip: OnFlip, *, seed: int | None = None, probe: Probe = probe
    ) -> None:
        self._pools = pools
        self._on_flip = on_flip
        self._random = Random(seed)
        self._probe = probe
        self._servers = [_CheckedServer(*each) for each in _checked_servers(pools)]

    async def run(self) -> None:
        """Probe for ever; to end it, cancel it."""
        now = trio.current_time()
        async with trio.open_nursery() as nursery:
            for position, server in enumerate(self._servers):
                first_at = first_probe_at(server.check, position, len(self._servers), now)
                nursery.start_soon(self._watch, server, first_at, name=f"check {server.pool}/{server.name}")

    def snapshot(self) -> dict[str, dict[str, ServerHealth]]:
        """The health of every server of every pool, in the order of the file."""
        healths = {pool: dict.fromkeys(config.servers, UNCHECKED) for pool, config in self._pools.items()}
        for server in self._servers:
            healths[server.pool][server.name] = server.snapshot()
        return healths

    async def _watch(self, server: "_CheckedServer", due_at: float) -> None:
        while True:
            await trio.sleep_until(due_at)
            started_at = trio.current_time()
            result = await server.probe(self._probe)
            if server.take_note(result, trio.current_time()):
                self._on_flip(server.pool, server.name, server.health.up, result.reason)
            due_at = next_probe_at(server.check, server.health, started_at, self._random)


class _CheckedServer:
    """One server that is checked, and what is known about it."""

    def __init__(self, pool: str, name: str, endpoint: Endpoint, check: Check, preamble: bytes) -> None:
        self.pool = pool
        self.name = name
        self.endpoint = endpoint
        self.check = check
        self._preamble = preamble
        self.health = Health.initial(rise=check.rise, fall=check.fall)
        self._last_result: ProbeResult | None = None
        self._probed_at: float | None = None

    async def probe(self, probe: Probe) -> ProbeResult:
        """Probe once. A server that expects a PROXY header is told that nobody's connection this is."""
        if self._preamble:
            return await probe(self.check, self.endpoint, self._preamble)
        return await probe(self.check, self.endpoint)

    def take_note(self, result: ProbeResult, now: float) -> bool:
        """True where the server flipped."""
        was_up = self.health.up
        self._last_result, self._probed_at = result, now
        if result.ok is not None:
            self.health = self.health.after(result.ok, reason=result.reason, now=now)
        return self.health.up != was_up

    def snapshot(self) -> ServerHealth:
        return ServerHealth(
            up=self.health.up,
            text=self.health.text,
            last_result=self._last_result,
            probed_at=self._probed_at,
            flip_reason=self.health.flip_reason,
            flipped_at=self.health.flipped_at,
        )


def _checked_servers(pools: Mapping[str, Pool]) -> Iterator[tuple[str, str, Endpoint, Check, bytes]]:
    for pool, config in pools.items():
        if config.check is not None:
            preamble = b"" if config.send_proxy is None else local(config.send_proxy)
            for name, server in config.servers.items():
                yield pool, name, server.address, config.check, preamble
