"""Reads the files that `tls` names, and judges each: does it parse, does the key belong to it, who else can read it.

What is broken is left out and said; of what was good before, the last good state is kept.
"""

import errno
import os
import ssl
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from balancer.config import BalancerConfig, CertificateFiles, FrontendTls, PoolTls
from balancer.tls.contexts import DoorContexts, ServerTls, load_pem
from balancer.tls.material import Bundle, FrontendMaterial, Material, PoolMaterial, key_for
from balancer.tls.x509 import BadCertificate, CertificateFacts, parse_certificate
from hapair.certificates.layout import pairs_in

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_EXPECTED = {errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EIO}
MORE_THAN_ENOUGH_BYTES = 1 << 20


class FileError(Exception):
    """A file that is not fit for use; the words say what to do. `absent`: it cannot be read here, whatever is in it."""

    def __init__(self, message: str, *, absent: bool = False) -> None:
        super().__init__(message)
        self.absent = absent


@dataclass(frozen=True, slots=True)
class Certificate:
    """One that is in use."""

    owner: str
    """`frontend web`, `pool db`."""
    source: str
    facts: CertificateFacts


@dataclass(frozen=True, slots=True)
class Trouble:
    """A file, or a frontend or pool, that something is wrong with."""

    owner: str
    source: str
    reason: str
    absent: bool = False
    fatal: bool = False
    """Nothing is left to serve with."""

    def __str__(self) -> str:
        return f"{self.owner}: {self.source}: {self.reason}" if self.source else f"{self.owner}: {self.reason}"


@dataclass(slots=True)
class Reading:
    """All that was read at one time."""

    material: Material
    certificates: list[Certificate] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    notes: list[Trouble] = field(default_factory=list)
    """What is used, and perhaps not meant so."""
    good: dict[str, tuple[Bundle, CertificateFacts]] = field(default_factory=dict)
    """By source: also those kept from before."""
    keys: dict[str, str | None] = field(default_factory=dict)
    """By source: the file of its key; None: it is in the same."""


def read_all(
    config: BalancerConfig,
    folder: Path,
    now: float,
    before: Reading | None = None,
    *,
    kind: str = "frontend",
    replaced: Mapping[str, bytes] | None = None,
) -> Reading:
    """Everything that frontends and pools with TLS need. Paths are relative to `folder`; `now` is since 1970.

    `kind` is what the owners that are called frontends here are to a person. `replaced`, by source: certificate, chain
    and key that somebody put in the place of those of the file.
    """
    reading = Reading(Material())
    replaced = replaced or {}
    frontends, pools = {}, {}
    for name, frontend in config.frontends.items():
        if frontend.tls is not None:
            material = _Owner(f"{kind} {name}", folder, reading, before, now, replaced).frontend(name, frontend.tls)
            if material is not None:
                frontends[name] = material
    for name, pool in config.pools.items():
        if pool.tls is not None:
            one = _Owner(f"pool {name}", folder, reading, before, now, replaced).pool(name, pool.tls)
            if one is not None:
                pools[name] = one
    reading.material = Material(frontends=frontends, pools=pools)
    return reading


class _Owner:
    """Reads for one frontend or pool."""

    def __init__(
        self,
        owner: str,
        folder: Path,
        reading: Reading,
        before: Reading | None,
        now: float,
        replaced: Mapping[str, bytes],
    ) -> None:
        self._owner = owner
        self._replaced = replaced
        self._now = now
        self._folder = folder
        self._reading = reading
        self._before = before

    def frontend(self, name: str, config: FrontendTls) -> FrontendMaterial | None:
        found: list[tuple[Bundle, CertificateFacts]] = []
        for files in config.certificates:
            found += self._bundles(files)
        previous = None if self._before is None else self._before.material.frontends.get(name)
        try:
            if not found:
                raise FileError("no certificate is fit for use")
            bundles = tuple(bundle for bundle, _ in found)
            client_ca = None if config.client_ca is None else read_file(self._folder / config.client_ca)
            material = FrontendMaterial(bundles=bundles, default=_default(config, bundles), client_ca=client_ca)
            DoorContexts(config, material)
        except (FileError, ssl.SSLError) as error:
            absent = isinstance(error, FileError) and error.absent
            self._trouble(config.client_ca or "", _words(error), absent=absent, fatal=previous is None)
            return previous
        self._say_duplicates(found)
        return material

    def pool(self, name: str, config: PoolTls) -> PoolMaterial | None:
        try:
            ca = None if config.ca is None else read_file(self._folder / config.ca)
            pem = None
            if config.certificate is not None:
                bundle, _ = self._bundle(config.certificate, config.key)
                pem = bundle.pem
            material = PoolMaterial(ca=ca, pem=pem)
            ServerTls(config, material)
        except (FileError, ssl.SSLError) as error:
            previous = None if self._before is None else self._before.material.pools.get(name)
            absent = isinstance(error, FileError) and error.absent
            self._trouble(config.ca or config.certificate or "", _words(error), absent=absent, fatal=previous is None)
            return previous
        return material

    def _bundles(self, files: CertificateFiles) -> Iterator[tuple[Bundle, CertificateFacts]]:
        for certificate, key in self._files(files):
            try:
                yield self._bundle(certificate, key)
            except FileError as error:
                kept = None if self._before is None else self._before.good.get(certificate)
                self._trouble(certificate, str(error), absent=error.absent)
                if kept is not None:
                    yield self._keep(certificate, *kept)

    def _files(self, files: CertificateFiles) -> Iterator[tuple[str, str | None]]:
        """A file and its key, or those in a folder and in the folders in it; in order of their names."""
        path = self._folder / files.certificate
        if files.key is not None or not path.is_dir():
            yield files.certificate, files.key
            return
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            if error.errno not in _EXPECTED:
                raise
            self._trouble(files.certificate, f"cannot be read: {error.strerror}", absent=True)
            return
        inner = [name for name in names if (path / name).is_dir() and not name.startswith(".")]
        for sub, listed in [("", names), *((name, _names_in(path / name)) for name in inner)]:
            for certificate, key in pairs_in(name for name in listed if name not in inner or sub):
                start = os.path.join(files.certificate, sub)
                yield os.path.join(start, certificate), None if key is None else os.path.join(start, key)

    def _bundle(self, certificate: str, key: str | None) -> tuple[Bundle, CertificateFacts]:
        self._reading.keys[certificate] = key
        pem = self._replaced.get(certificate)
        if pem is None:
            pem = read_file(self._folder / certificate, secret=key is None)
            if key is not None:
                pem += b"\n" + read_file(self._folder / key, secret=True)
        facts = judge(pem)
        kept = None if self._before is None else self._before.good.get(certificate)
        if facts.not_after < self._now and kept is not None and kept[1].not_after >= self._now:
            raise FileError("has expired; the one before it is still good")
        return self._keep(certificate, Bundle(names=facts.names, pem=pem), facts)

    def _keep(self, source: str, bundle: Bundle, facts: CertificateFacts) -> tuple[Bundle, CertificateFacts]:
        self._reading.good[source] = (bundle, facts)
        self._reading.certificates.append(Certificate(self._owner, source, facts))
        return bundle, facts

    def _say_duplicates(self, found: list[tuple[Bundle, CertificateFacts]]) -> None:
        sources = [one.source for one in self._reading.certificates if one.owner == self._owner]
        taken: dict[tuple[str, str], str] = {}
        for source, (_, facts) in zip(sources, found, strict=True):
            for name in facts.names:
                first = taken.setdefault((name, facts.key), source)
                if first != source:
                    note = f"{name} is also in {first}, which has a key of the same kind and comes first"
                    self._reading.notes.append(Trouble(self._owner, source, note))

    def _trouble(self, source: str, reason: str, *, absent: bool = False, fatal: bool = False) -> None:
        self._reading.troubles.append(Trouble(self._owner, source, reason, absent, fatal))


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except PermissionError:
        return []


def _default(config: FrontendTls, bundles: tuple[Bundle, ...]) -> int:
    if config.default is None:
        return 0
    for number, bundle in enumerate(bundles):
        if key_for(config.default, dict.fromkeys(bundle.names)) is not None:
            return number
    raise FileError(f"no certificate is for the default name {config.default}")


def judge(pem: bytes) -> CertificateFacts:
    """What the certificate says, where the key belongs to it. Raises FileError."""
    text = pem.decode("ascii", "replace")
    begin = text.find(_BEGIN)
    end = text.find(_END, begin)
    if begin < 0 or end < 0:
        raise FileError("there is no certificate in it (PEM form is needed)")
    try:
        facts = parse_certificate(ssl.PEM_cert_to_DER_cert(text[begin : end + len(_END)]))
    except (BadCertificate, ValueError) as error:
        raise FileError(str(error)) from None
    if "PRIVATE KEY-----" not in text:
        raise FileError("there is no private key in it; name its file with `key`")
    try:
        load_pem(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pem)
    except ssl.SSLError as error:
        raise FileError(_words(error)) from None
    return facts


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate"
    return str(error.args[-1]) if reason is None else reason.lower().replace("_", " ")


def read_file(path: Path, *, secret: bool = False) -> bytes:
    """The bytes. Raises FileError, also where a `secret` file is open to everybody."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno not in _EXPECTED:
            raise
        raise FileError(f"cannot be read: {error.strerror}", absent=True) from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise FileError("is not a regular file")
        if secret and status.st_mode & stat.S_IRWXO:
            raise FileError(f"{path.name} holds a key and is open to everybody: chmod 0640, or 0600")
        with open(fd, "rb", closefd=False) as file:
            return file.read(MORE_THAN_ENOUGH_BYTES)
    finally:
        os.close(fd)


def signature(config: BalancerConfig, folder: Path) -> Mapping[str, tuple[int, ...]]:
    """What changes when any of the files does: names, inodes, times, sizes. Folders and what is in them included."""
    found: dict[str, tuple[int, ...]] = {}
    for path in _paths(config):
        _sign(folder / path, found, depth=2)
    return found


def _paths(config: BalancerConfig) -> Iterator[str]:
    for frontend in config.frontends.values():
        if frontend.tls is not None:
            for files in frontend.tls.certificates:
                yield from (path for path in (files.certificate, files.key) if path is not None)
            if frontend.tls.client_ca is not None:
                yield frontend.tls.client_ca
    for pool in config.pools.values():
        if pool.tls is not None:
            yield from (path for path in (pool.tls.ca, pool.tls.certificate, pool.tls.key) if path is not None)


def _sign(path: Path, found: dict[str, tuple[int, ...]], depth: int) -> None:
    try:
        status = path.stat()
        found[str(path)] = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_mode)
        if stat.S_ISDIR(status.st_mode) and depth:
            for name in os.listdir(path):
                _sign(path / name, found, depth - 1)
    except OSError as error:
        if error.errno not in _EXPECTED:
            raise
        found[str(path)] = ()
