"""TLS of the admin server: by the rules of a frontend's, of files that are watched in the same way."""

from pathlib import Path

from balancer.config import BalancerConfig, Frontend, Pool, Server
from balancer.tls.contexts import DoorContexts
from balancer.tls.material import Material
from hapair.certificates.store import Trouble
from hapair.certificates.watch import CertificateWatch, fatal_troubles
from hapair.config.admin import AdminSection
from hapair.snapshot import CertificateView

KIND, NAME = "admin", "server"
"""Together what the status calls the owner of these certificates."""


def as_frontend(admin: AdminSection | None) -> BalancerConfig:
    """The admin server as the certificates see it: a frontend with itself behind it, or none where it has no TLS."""
    if admin is None or admin.tls is None:
        return BalancerConfig(frontends={}, pools={})
    return BalancerConfig(
        frontends={NAME: Frontend(listen=admin.listen, mode="tcp", pool=NAME, tls=admin.tls)},
        pools={NAME: Pool(servers={NAME: Server(address=admin.listen[0])})},
    )


class AdminTls:
    """Contexts for connections, renewed when files change. Without TLS there are none, and nothing is looked at."""

    def __init__(self, admin: AdminSection | None, folder: Path) -> None:
        """`folder`: what paths are relative to."""
        self._tls = None if admin is None else admin.tls
        self._watch = CertificateWatch(as_frontend(admin), folder, self._renew, kind=KIND)
        self.contexts: DoorContexts | None = None
        """None: connections are in clear, or the certificates are not fit for use."""
        self._renew(self._watch.reading.material)

    def _renew(self, material: Material) -> None:
        if self._tls is None or NAME not in material.frontends:
            return
        if self.contexts is None:
            self.contexts = DoorContexts(self._tls, material.frontends[NAME], ("http/1.1",))
        else:
            self.contexts.renew(material.frontends[NAME])

    def tried(self, admin: AdminSection | None) -> list[Trouble]:
        """Why another section of the file could not be served. Changes nothing."""
        return fatal_troubles(self._watch.tried(as_frontend(admin)))

    def reload(self, admin: AdminSection | None) -> None:
        """Another section, which has been tried. Other contexts only where its `tls` is another."""
        config, tls = as_frontend(admin), None if admin is None else admin.tls
        reading = self._watch.tried(config)
        self._watch.reload(config, reading)
        if tls != self._tls:
            self._tls, self.contexts = tls, None
        self._renew(reading.material)

    @property
    def watch(self) -> CertificateWatch:
        """Who looks after the files."""
        return self._watch

    @property
    def fatal(self) -> list[Trouble]:
        """Why there can be no TLS."""
        return self._watch.fatal

    async def run(self) -> None:
        """Look for ever."""
        await self._watch.run()

    def look(self) -> None:
        """Read again what has changed."""
        self._watch.look()

    def views(self) -> tuple[CertificateView, ...]:
        """For the status."""
        return self._watch.views()
