"""SSL contexts: made from bytes, chosen by the name that a client asks for, renewed while connections are open.

Every connection of a frontend begins with one context, its *door*, and is given the context of the certificate that it
asked for. Session tickets are the door's. So a client resumes its session whatever certificate was renewed meanwhile;
only another `client_ca` makes a new door, because a resumed session is not verified again.

`ssl` reads keys from files only. Here they come from memory: a memfd that has a path while it is open.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from balancer.config_tls import FrontendTls, PoolTls
from balancer.tls.material import FrontendMaterial, PoolMaterial, by_name, key_for

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Forward secrecy and authenticated encryption: what TLS 1.3 has in any case."""
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Session(ssl.SSLObject):
    """One side of a TLS connection, without its socket."""

    asked_name: str | None = None
    """Server side: what the client asked for."""


class DoorContexts:
    """The contexts of one frontend."""

    def __init__(self, config: FrontendTls, material: FrontendMaterial, alpn: Sequence[str] = ()) -> None:
        """Raises ssl.SSLError where the material is not fit for use."""
        self._config = config
        self._alpn = tuple(alpn)
        self.renew(material)

    door: ssl.SSLContext
    """What a new connection begins with."""

    def renew(self, material: FrontendMaterial) -> None:
        """Serve new connections with other certificates. Raises ssl.SSLError and changes nothing."""
        names = by_name(material.bundles)
        default = _default_group(material, names)
        groups = {numbers: self._make(material, numbers) for numbers in {*names.values(), default}}
        if not hasattr(self, "door") or material.client_ca != self._client_ca:
            self.door, self._client_ca = groups[default], material.client_ca
            self.door.sni_callback = self._choose
        self._by_name = {name: groups[numbers] for name, numbers in names.items()}
        self._default = groups[default]

    _client_ca: bytes | None
    _by_name: dict[str, ssl.SSLContext]
    _default: ssl.SSLContext

    def _choose(self, session: Any, name: str | None, _: ssl.SSLContext) -> int | None:
        session.asked_name = None if name is None else name.lower()
        key = key_for(name, self._by_name)
        if key is None and self._config.strict_sni:
            return ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        session.context = self._default if key is None else self._by_name[key]
        return None

    def _make(self, material: FrontendMaterial, numbers: tuple[int, ...]) -> ssl.SSLContext:
        config = self._config
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _set_up(context, config.minimum_version, config.ciphers)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION
        context.num_tickets = 1  # of OpenSSL's two a browser uses one, and each is a fourteenth of a handshake
        for number in numbers:
            load_pem(context, material.bundles[number].pem)
        if self._alpn:
            context.set_alpn_protocols(list(self._alpn))
        if config.client_ca is not None:
            context.load_verify_locations(cadata=_text(material.client_ca or b""))
            optional = config.client_certificate == "optional"
            context.verify_mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
        return context


def _default_group(material: FrontendMaterial, names: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The certificates for whoever asks for no name that is known: the default one and others of the same name."""
    default_names = material.bundles[material.default].names
    return names[default_names[0]] if default_names else (material.default,)


class ServerTls:
    """How connections to a pool's servers are made secret."""

    def __init__(self, config: PoolTls, material: PoolMaterial) -> None:
        """Raises ssl.SSLError where the material is not fit for use."""
        self._config = config
        self.renew(material)

    context: ssl.SSLContext

    def renew(self, material: PoolMaterial) -> None:
        """For new connections. Raises ssl.SSLError and changes nothing."""
        config = self._config
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _set_up(context, config.minimum_version, config.ciphers)
        context.options |= ssl.OP_NO_RENEGOTIATION
        if not config.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif material.ca is not None:
            context.load_verify_locations(cadata=_text(material.ca))
        else:
            context.load_default_certs()
        if material.pem is not None:
            load_pem(context, material.pem)
        self.context = context

    def name_for(self, host: str) -> str:
        """What is asked for, and what the certificate must be for: `host` is the server's IP address."""
        return self._config.server_name or host


def _set_up(context: ssl.SSLContext, minimum_version: str, ciphers: str | None) -> None:
    context.sslobject_class = Session
    context.minimum_version = _VERSIONS[minimum_version]
    context.set_ciphers(ciphers or CIPHERS)


def load_pem(context: ssl.SSLContext, pem: bytes) -> None:
    """Certificate, chain and key. Raises ssl.SSLError."""
    with _path_of(pem) as path:
        context.load_cert_chain(path, password=_no_password)


def _no_password() -> str:
    """Rather than have OpenSSL ask on the terminal."""
    raise ssl.SSLError("the key is encrypted; hapair takes keys without a passphrase")


@contextmanager
def _path_of(data: bytes) -> Iterator[str]:
    fd = os.memfd_create("hapair-tls", os.MFD_CLOEXEC)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _text(pem: bytes) -> str:
    """The certificates of a PEM file, without whatever is written between them. Raises ssl.SSLError."""
    blocks = _CERTIFICATE.findall(pem)
    if not blocks:
        raise ssl.SSLError("no certificate in PEM form")
    return b"\n".join(blocks).decode("ascii", "replace")
