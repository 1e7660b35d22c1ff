"""Looks after the certificates while the node runs: files that change are read again, and the workers are told.

Looked at, not listened to: a renewal is a rename in one folder, a symbolic link in another, or a new file on a network
share; what all have in common is that a look every few seconds sees them. A file that was found broken is said once.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import trio

from balancer.config import BalancerConfig
from balancer.tls.material import Material
from hapair.certificates.store import FileError, Reading, Trouble, judge, read_all, signature
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
        self._replaced: dict[str, bytes] = {}
        """By source: what somebody put in the place of a file, or has ready for one that is not named yet."""
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
        meant = self._still_meant(config)
        return read_all(config, self._folder, time.time(), meant, kind=self._kind, replaced=self._replaced)

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
        then, self._signature = self._signature, now
        self._let_files_win({path for path in now.keys() | then.keys() if now.get(path) != then.get(path)})
        before = self.reading
        self.reading = self._read()
        self._say(self.reading.troubles, before.troubles)
        if self.reading.material != before.material:
            log.info("certificates renewed", extra={"certificates": len(self.reading.certificates)})
            self._on_change(self.reading.material)

    def _read(self, replaced: Mapping[str, bytes] | None = None) -> Reading:
        replaced = self._replaced if replaced is None else replaced
        return read_all(self._config, self._folder, time.time(), self.reading, kind=self._kind, replaced=replaced)

    def _let_files_win(self, changed: Collection[str]) -> None:
        """What was put in the place of a file holds until that file is another."""
        for source in tuple(self._replaced):
            files = (source, self.reading.keys.get(source))
            if any(str(self._folder / file) in changed for file in files if file is not None):
                del self._replaced[source]
                log.info("a file holds again, not what was put in its place", extra={"file": source})

    @property
    def stored(self) -> Mapping[str, bytes]:
        """By source: what somebody put in the place of a file, or has ready for one that is not named yet."""
        return self._replaced

    def pem_of(self, source: str) -> bytes | None:
        """Certificate, chain and key that are used, or ready; None: there are none."""
        used = self.reading.good.get(source)
        return self._replaced.get(source) if used is None else used[0].pem

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that are named, each once."""
        named = [one.source for one in self.reading.certificates]
        named += [one.source for one in self.reading.troubles if one.source in self.reading.keys]
        return tuple(dict.fromkeys(named))

    def store(self, source: str, pem: bytes) -> int:
        """Put this in the place of a file, or have it ready for one; how many frontends and pools use it.

        In memory, until that file changes or the node ends. Raises FileError, and then nothing has changed.
        """
        judge(pem)
        before = self.reading
        reading = self._read({**self._replaced, source: pem})
        if new := [one for one in reading.troubles if one not in before.troubles and one.source in ("", source)]:
            raise FileError(str(new[0]))
        self._replaced[source], self.reading = pem, reading
        users = sum(one.source == source for one in reading.certificates)
        log.info("certificate put in the place of a file", extra={"file": source, "used": users})
        if reading.material != before.material:
            self._on_change(reading.material)
        return users

    def discard(self, source: str) -> None:
        """Forget what is ready for a file that nobody names."""
        del self._replaced[source]

    def _say(self, troubles: list[Trouble], before: list[Trouble]) -> None:
        for trouble in troubles:
            if trouble not in before:
                log.error(
                    "certificate not used",
                    extra={"owner": trouble.owner, "file": trouble.source, "reason": trouble.reason},
                )

    def views(self) -> tuple[CertificateView, ...]:
        """What is in use and what is not, for the status."""
        return certificate_views(self.reading, time.time(), self._replaced)


def fatal_troubles(reading: Reading) -> list[Trouble]:
    """Why what was read cannot be served: of each owner with nothing left to serve with, all that is wrong."""
    owners = {trouble.owner for trouble in reading.troubles if trouble.fatal}
    return [trouble for trouble in reading.troubles if trouble.owner in owners]


def certificate_views(reading: Reading, now: float, replaced: Collection[str] = ()) -> tuple[CertificateView, ...]:
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
                replaced=one.source in replaced,
            )
        )
    views += [
        CertificateView(owner=owner, source=source, names=(), key="", expires_in_s=None, trouble=reason)
        for (owner, source), reason in troubles.items()
    ]
    return tuple(views)
