"""TLS of checks: what the check says of it, and where it is silent what the pool does with its servers.

A context is made once and kept as long as nothing of that changes: to read the system's authorities takes longer than a
probe of a server does.
"""

import ssl
from dataclasses import dataclass, replace

from balancer.config import Check, Pool, PoolTls
from balancer.config_checks import TLS_KINDS
from balancer.fieldtypes import Endpoint
from balancer.tls.contexts import ServerTls
from balancer.tls.material import PoolMaterial

_OF_CHECKS = PoolTls(ciphers="DEFAULT")
"""Where no pool says what is good enough, a server may speak whatever OpenSSL takes for it."""


@dataclass(frozen=True, slots=True)
class Secrecy:
    """How a probe is made secret."""

    context: ssl.SSLContext
    name: str | None
    """Asked for, and what the certificate must be for; None: the address that is probed."""

    def name_for(self, endpoint: Endpoint) -> str:
        return self.name or endpoint.host


class CheckSecrecy:
    """The TLS of checks by pool."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[object, Secrecy]] = {}

    def of(self, name: str, pool: Pool, server: str, material: PoolMaterial | None) -> Secrecy | None:
        """For a probe of a server of this pool; None: it is made in clear.

        `material` is what the pool's own TLS was made of. Raises OSError, also where a `ca_file` is not fit for use.
        """
        one, check = pool.servers[server], pool.check_of(server)
        own_place = one.check_address is not None or one.check_port is not None
        said = None if check is None else _said(check, pool.tls, own_place=own_place)
        if check is None or said is None:
            return None
        if material is None or not said.inherits:
            material = PoolMaterial()
        key = (said, material, check.kind)
        if name not in self._made or self._made[name][0] != key:
            self._made[name] = (key, _made_of(said, material, check.kind))
        return self._made[name][1]


def secrecy_of(check: Check) -> Secrecy | None:
    """Of a check that no pool says anything of."""
    said = _said(check, None)
    return None if said is None else _made_of(said, PoolMaterial(), check.kind)


@dataclass(frozen=True, slots=True)
class _Said:
    settings: PoolTls
    name: str | None
    ca_file: str | None
    inherits: bool


def _said(check: Check, pool: PoolTls | None, *, own_place: bool = False) -> _Said | None:
    """What holds for a check; None: it is made in clear.

    A check that goes to a place of its own goes to something else than clients are sent to: the pool says nothing of
    that.
    """
    inherited = None if own_place or check.has_place else pool
    if check.tls is None:
        if inherited is None or check.plain or check.kind not in TLS_KINDS:
            return None
        return _Said(inherited, inherited.server_name, None, inherits=True)
    settings = inherited or _OF_CHECKS
    verify = settings.verify if check.tls.verify is None else check.tls.verify
    return _Said(
        replace(settings, verify=verify, ca=settings.ca if verify else None),
        check.tls.name or settings.server_name or (check.host or "").partition(":")[0] or None,
        check.tls.ca_file if verify else None,
        inherits=inherited is not None,
    )


def _made_of(said: _Said, material: PoolMaterial, kind: str) -> Secrecy:
    if said.ca_file is not None:
        with open(said.ca_file, "rb") as file:
            material = PoolMaterial(ca=file.read(), pem=material.pem)
    context = ServerTls(said.settings, material).context
    if kind == "grpc":
        context.set_alpn_protocols(["h2"])
    return Secrecy(context, said.name)
