"""What a load balancer is told about TLS: with clients (FrontendTls) and with servers (PoolTls). Pure.

Files are named here and nowhere read: who reads them (it may need privileges) hands their bytes to
`balancer.tls.contexts`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from balancer.fieldtypes import STRICT, Shorthand

Version = Literal["1.2", "1.3"]
_CIPHERS = re.compile(r"[A-Za-z0-9_:+!@=.-]+")
_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PROTOCOL = re.compile(r"[!-+\--~]{1,255}")


@dataclass(frozen=True, slots=True)
class _VersionText:
    """`1.2` is a number in YAML, and what is meant is the text."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        def decode(value: object) -> str:
            for version in ("1.2", "1.3"):
                if value == version or value == float(version):
                    return version
            raise ValueError("write 1.2 or 1.3; older versions are not safe")

        return {"type": "function-plain", "function": {"type": "no-info", "function": decode}}

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
        return {"enum": [1.2, 1.3, "1.2", "1.3"]}


TlsVersion = Annotated[Version, _VersionText()]


def is_path(text: str) -> bool:
    """Whether a text can be the path of a file."""
    return bool(text) and text.isprintable()


def is_server_name(text: str) -> bool:
    """Whether a text is a DNS name in lower case, perhaps with `*` as its first label."""
    return len(text) <= 253 and bool(_NAME.fullmatch(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """A certificate with its key, or a folder of them. In a file a path is short for `{certificate: path}`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    certificate: str
    """A PEM file: the certificate, those between it and its authority, and the key unless `key` has it; or a folder."""
    key: str | None = None

    def __post_init__(self) -> None:
        for key, path in (("certificate", self.certificate), ("key", self.key)):
            if path is not None and not is_path(path):
                raise ValueError(f"{key} must be the path of a file, for example tls/example.org.pem")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendTls:
    """TLS with clients ends here."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    certificates: tuple[Annotated[CertificateFiles, Shorthand("certificate")], ...]
    """The first one is for clients that ask for no name, or for one that no certificate has, unless `default` says."""
    default: str | None = None
    """A name that one of the certificates is for."""
    strict_sni: bool = False
    """Refuse clients that ask for no name, or for one that no certificate has."""
    minimum_version: TlsVersion = "1.2"
    ciphers: str | None = None
    """Of TLS 1.2, in OpenSSL's words; those of 1.3 are all good."""
    alpn: tuple[str, ...] = ()
    """For mode tcp: protocols that are offered, the best first."""
    client_ca: str | None = None
    """A PEM file: whose certificates clients must show."""
    client_certificate: Literal["required", "optional"] = "required"

    def __post_init__(self) -> None:
        if not self.certificates:
            raise ValueError("certificates must name at least one file or folder")
        if self.default is not None and not is_server_name(self.default):
            raise ValueError("default must be a host name in lower case, for example www.example.org")
        check_ciphers(self.ciphers)
        if self.client_ca is not None and not is_path(self.client_ca):
            raise ValueError("client_ca must be the path of a file, for example tls/clients.pem")
        if self.client_ca is None and self.client_certificate != "required":
            raise ValueError("client_certificate needs client_ca")
        if not all(_PROTOCOL.fullmatch(protocol) for protocol in self.alpn):
            raise ValueError("alpn must be a list of protocols, for example [h2, http/1.1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTls:
    """TLS with servers. `{}` is: verified against the system's authorities, by the server's address."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    ca: str | None = None
    """A PEM file with the authorities to believe; the system's where not given."""
    server_name: str | None = None
    """Asked for (SNI), and what the certificate must be for; the server's IP address where not given."""
    verify: bool = True
    certificate: str | None = None
    """A PEM file to show to servers: certificate, chain, and key unless `key` has it."""
    key: str | None = None
    minimum_version: TlsVersion = "1.2"
    ciphers: str | None = None

    def __post_init__(self) -> None:
        for key, path in (("ca", self.ca), ("certificate", self.certificate), ("key", self.key)):
            if path is not None and not is_path(path):
                raise ValueError(f"{key} must be the path of a file, for example tls/server.pem")
        if self.key is not None and self.certificate is None:
            raise ValueError("key needs certificate")
        if self.server_name is not None and (not is_server_name(self.server_name) or "*" in self.server_name):
            raise ValueError("server_name must be a host name in lower case, for example db.example.org")
        if not self.verify and self.ca is not None:
            raise ValueError("ca is of no use with verify: false; leave one of them out")
        check_ciphers(self.ciphers)


def check_ciphers(text: str | None) -> None:
    """Raise ValueError where this cannot be a cipher list of OpenSSL's."""
    if text is not None and not _CIPHERS.fullmatch(text):
        raise ValueError("ciphers must be a list in OpenSSL's form, for example ECDHE+AESGCM:ECDHE+CHACHA20")
