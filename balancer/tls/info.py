"""What is known of the TLS of a connection: for routes, logs, PROXY protocol and header fields. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}
_ESCAPED = frozenset(',+"\\<>;=')

Subject = Sequence[Sequence[tuple[str, str]]]
"""As `ssl` has it: relative distinguished names, each of pairs of type and value."""


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """One that was shown and verified. All texts are printable ASCII."""

    subject: str
    """RFC 4514: `CN=anna,O=Example`."""
    common_name: str
    """Empty where it has none."""
    serial: str
    """Hexadecimal digits."""
    fingerprint: str
    """SHA-256 of the certificate, hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class TlsInfo:
    """`stream.tls` of a connection whose handshake is done; None is a plain one."""

    version: str
    """`TLSv1.3`"""
    cipher: str
    alpn: str | None
    """What was agreed upon."""
    server_name: str | None
    """What the client asked for (SNI), in lower case."""
    resumed: bool = False
    client: ClientCertificate | None = None
    """None: none was shown."""


def client_certificate(subject: Subject, serial: str, fingerprint: str) -> ClientCertificate:
    """From what `ssl` tells of a verified certificate."""
    names = [value for rdn in subject for kind, value in rdn if kind == "commonName"]
    return ClientCertificate(distinguished_name(subject), escaped(names[-1]) if names else "", serial, fingerprint)


def distinguished_name(subject: Subject) -> str:
    """RFC 4514, the most specific first. Whatever is not printable ASCII is escaped: this goes into a header field."""
    return ",".join(
        "+".join(f"{_SHORT.get(kind, kind)}={escaped(value)}" for kind, value in rdn) for rdn in reversed(subject)
    )


def escaped(value: str) -> str:
    """A value of a distinguished name (RFC 4514 section 2.4), in printable ASCII."""
    last = len(value) - 1
    return "".join(
        _escape(character, at_edge=position in (0, last), first=position == 0)
        for position, character in enumerate(value)
    )


def _escape(character: str, *, at_edge: bool, first: bool) -> str:
    if character in _ESCAPED or (first and character == "#") or (at_edge and character == " "):
        return f"\\{character}"
    if " " <= character <= "~":
        return character
    return "".join(f"\\{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def client_fields(tls: TlsInfo | None, *, asked: bool) -> bytes:
    """Field lines that tell a server of the client's certificate; none where the frontend asks for none."""
    if not asked or tls is None:
        return b""
    if (client := tls.client) is None:
        return b"X-SSL-Client-Verify: NONE\r\n"
    return (
        f"X-SSL-Client-Verify: SUCCESS\r\nX-SSL-Client-DN: {client.subject}\r\n"
        f"X-SSL-Client-CN: {client.common_name}\r\nX-SSL-Client-Serial: {client.serial}\r\n"
        f"X-SSL-Client-Fingerprint: {client.fingerprint}\r\n"
    ).encode("ascii")
