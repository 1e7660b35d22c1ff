"""What `hapair check` says of certificates: broken ones are errors, those that cannot be read here are not."""

import time
from collections.abc import Mapping
from pathlib import Path

from balancer.config import BalancerConfig
from balancer.tls.material import PoolMaterial
from hapair.certificates.admin import KIND, as_frontend
from hapair.certificates.store import Reading, read_all
from hapair.certificates.watch import certificate_views
from hapair.config.errors import ConfigError, Position, Problem
from hapair.config.load import Loaded
from hapair.snapshot_warnings import warnings_of_certificates


def check_certificates(loaded: Loaded) -> list[str]:
    """Warnings. Raises ConfigError where a file is there and not fit for use.

    A file may be checked on another machine than the one that serves with it, or by somebody who may not read keys.
    """
    reading = _read(loaded)
    admin = read_all(as_frontend(loaded.file.admin), Path(loaded.path).parent, time.time(), kind=KIND)
    return [*_said(loaded, reading), *_said(loaded, admin)]


def _said(loaded: Loaded, reading: Reading) -> list[str]:
    absent = {trouble.owner for trouble in reading.troubles if trouble.absent}
    broken = [one for one in reading.troubles if not one.absent and not (one.fatal and one.owner in absent)]
    if broken:
        raise ConfigError(loaded.path, [_problem(one.owner, one.source, one.reason) for one in broken])
    said = [str(trouble) for trouble in (*reading.troubles, *reading.notes)]
    views = [view for view in certificate_views(reading, time.time()) if not view.trouble]
    return [*said, *warnings_of_certificates(views)]


def pool_material(loaded: Loaded) -> Mapping[str, PoolMaterial]:
    """What connections to servers need, as far as it can be read here."""
    return _read(loaded).material.pools


def _read(loaded: Loaded) -> Reading:
    config = BalancerConfig(frontends=loaded.file.frontends, pools=loaded.file.pools)
    return read_all(config, Path(loaded.path).parent, time.time())


def _problem(owner: str, source: str, reason: str) -> Problem:
    kind, _, name = owner.partition(" ")
    place = "admin.tls" if kind == KIND else f"{kind}s.{name}.tls"
    return Problem(Position(1, 1), place, f"{source}: {reason}" if source else reason)
