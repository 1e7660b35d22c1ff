"""A certificate that is about to be put in the place of another: taken apart, put together, looked at whole. Pure.

It may come in pieces, as HAProxy takes it: a certificate and its chain, a key, or both; what does not come stays.
"""

import re
from binascii import a2b_base64
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from balancer.tls.x509 import BadCertificate, CertificateFacts, parse_certificate

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_KEY: Final = re.compile(
    rb"-----BEGIN (?:[A-Z]{2,9} )?PRIVATE KEY-----.*?-----END (?:[A-Z]{2,9} )?PRIVATE KEY-----", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is about to be in the place of `source`."""

    source: str
    pem: bytes = field(repr=False)


def certificates_in(pem: bytes) -> list[bytes]:
    """In DER, the first one's own first. Raises BadCertificate."""
    try:
        return [a2b_base64(one) for one in _CERTIFICATE.findall(pem)]
    except ValueError:
        raise BadCertificate("not in base64") from None


def facts_in(pem: bytes) -> list[CertificateFacts]:
    """Of each certificate. Raises BadCertificate."""
    return [parse_certificate(der) for der in certificates_in(pem)]


def merged(before: bytes, payload: bytes) -> bytes:
    """What comes in the place of what was there: its certificates, or its key, or both. Raises BadCertificate."""
    certificates, keys = _whole(_CERTIFICATE, payload), _whole(_KEY, payload)
    if not certificates and not keys:
        raise BadCertificate("there is neither a certificate nor a key in it")
    facts_in(payload)
    certificates, keys = certificates or _whole(_CERTIFICATE, before), keys or _whole(_KEY, before)
    return b"".join(one + b"\n" for one in (*certificates, *keys[:1]))


def holds_both(payload: bytes) -> bool:
    """A certificate and a key, which then belong together."""
    return bool(_CERTIFICATE.search(payload) and _KEY.search(payload))


def chain_trouble(pem: bytes) -> str | None:
    """Why the certificates after the first are no chain; None: each issued the one before it. Raises BadCertificate."""
    facts = facts_in(pem)
    for place, (one, issuer) in enumerate(pairwise(facts), 1):
        if one.issuer != issuer.subject:
            return f"certificate {place + 1} of it did not issue certificate {place}"
    return None


def _whole(pattern: re.Pattern[bytes], pem: bytes) -> list[bytes]:
    return [match.group() for match in pattern.finditer(pem)]
