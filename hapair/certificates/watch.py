"""Looks after the certificates while the node runs: files that change are read again, and the workers are told.

Looked at, not listened to: a renewal is a rename in one folder, a symbolic link in another, or a new file on a network
share; what all have in common is that a look every few seconds sees them. A file that was found broken is said once.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import trio

from balancer.config import BalancerConfig
from balancer.tls.material import Material
from hapair.certificates.store import Reading, Trouble, read_all, signature
from hapair.snapshot import CertificateView

log = logging.getLogger(__name__)

INTERVAL_S = 2.0


class CertificateWatch:
    """What is in use, and what is wrong."""

    def __init__(
        self, config: BalancerConfig, folder: Path, on_change: Callable[[Material], None], *, kind: str = "frontend"
    ) -> None:
        self._kind = kind
        self._config = config
        self._folder = folder
        self._on_change = on_change
        self._signature = signature(config, folder)
        self.reading: Reading = read_all(config, folder, time.time(), kind=kind)
        self._say(self.reading.troubles, before=[])

    @property
    def fatal(self) -> list[Trouble]:
        """Why this node cannot serve what the file says."""
        return fatal_troubles(self.reading)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await trio.sleep(INTERVAL_S)
            self.look()

    def tried(self, config: BalancerConfig) -> Reading:
        """What another configuration would have: its `fatal` troubles are why it cannot be served. Changes nothing."""
        return read_all(config, self._folder, time.time(), self._still_meant(config), kind=self._kind)

    def _still_meant(self, config: BalancerConfig) -> Reading:
        """What was read where `tls` is the same: that may stand in for a file that is broken."""
        material, before = self.reading.material, self._config
        frontends = {
            name: one
            for name, one in material.frontends.items()
            if name in config.frontends and config.frontends[name].tls == before.frontends[name].tls
        }
        pools = {
            name: one
            for name, one in material.pools.items()
            if name in config.pools and config.pools[name].tls == before.pools[name].tls
        }
        return replace(self.reading, material=Material(frontends=frontends, pools=pools))

    def reload(self, config: BalancerConfig, reading: Reading) -> None:
        """Look after the files of another configuration, which has been tried."""
        before = self.reading.troubles
        self._config, self.reading, self._signature = config, reading, signature(config, self._folder)
        self._say(reading.troubles, before)

    def look(self) -> None:
        """Read again what has changed since the last look."""
        now = signature(self._config, self._folder)
        if now == self._signature:
            return
        self._signature = now
        before = self.reading
        self.reading = read_all(self._config, self._folder, time.time(), before, kind=self._kind)
        self._say(self.reading.troubles, before.troubles)
        if self.reading.material != before.material:
            log.info("certificates renewed", extra={"certificates": len(self.reading.certificates)})
            self._on_change(self.reading.material)

    def _say(self, troubles: list[Trouble], before: list[Trouble]) -> None:
        for trouble in troubles:
            if trouble not in before:
                log.error(
                    "certificate not used",
                    extra={"owner": trouble.owner, "file": trouble.source, "reason": trouble.reason},
                )

    def views(self) -> tuple[CertificateView, ...]:
        """What is in use and what is not, for the status."""
        return certificate_views(self.reading, time.time())


def fatal_troubles(reading: Reading) -> list[Trouble]:
    """Why what was read cannot be served."""
    return [trouble for trouble in reading.troubles if trouble.fatal]


def certificate_views(reading: Reading, now: float) -> tuple[CertificateView, ...]:
    """`now` in seconds since 1970. A file that is broken now, and was not before, is both."""
    views = []
    troubles = {(trouble.owner, trouble.source): trouble.reason for trouble in reading.troubles}
    for one in reading.certificates:
        facts = one.facts
        views.append(
            CertificateView(
                owner=one.owner,
                source=one.source,
                names=facts.names,
                key=facts.key,
                expires_in_s=facts.not_after - now,
                trouble=troubles.pop((one.owner, one.source), None),
            )
        )
    views += [
        CertificateView(owner=owner, source=source, names=(), key="", expires_in_s=None, trouble=reason)
        for (owner, source), reason in troubles.items()
    ]
    return tuple(views)
