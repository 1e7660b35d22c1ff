"""Certificates that openssl made, read as it reads them."""

import base64
import ssl
from typing import Any

import pytest

from balancer.tls.x509 import BadCertificate, name_in_words, parse_certificate


def der_of(issued: Any) -> bytes:
    return ssl.PEM_cert_to_DER_cert(issued.certificate.read_text())


def test_names_and_key(authority: Any) -> None:
    facts = parse_certificate(der_of(authority.issue("WWW.example.org", "*.example.net", "192.0.2.1")))
    assert facts.names == ("www.example.org", "*.example.net")
    assert facts.key == "EC"
    assert parse_certificate(der_of(authority.issue("a.example", rsa=True))).key == "RSA"


def test_without_alternative_names_the_common_name_counts(authority: Any) -> None:
    assert parse_certificate(der_of(authority.issue(subject="/O=Example/CN=Db.example"))).names == ("db.example",)


def test_times_and_serial_number_are_those_that_openssl_tells(authority: Any, tmp_path: Any) -> None:
    for days in (10, 20_000):  # the second is beyond 2049: written in another form
        issued = authority.issue("a.example", days=days)
        told = ssl._ssl._test_decode_cert(str(issued.certificate))  # type: ignore[attr-defined]
        facts = parse_certificate(der_of(issued))
        assert facts.not_before == ssl.cert_time_to_seconds(told["notBefore"])
        assert facts.not_after == ssl.cert_time_to_seconds(told["notAfter"])
        assert facts.serial.lstrip("0") == told["serialNumber"].lstrip("0")


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x80", b"\x30\x03\x30\x01", b"\x02\x01\x00", b"0" * 100])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(BadCertificate):
        parse_certificate(data)


def test_every_shortened_one_is_none(issued: Any) -> None:
    der = der_of(issued)
    for size in range(len(der)):
        with pytest.raises(BadCertificate):
            parse_certificate(der[:size])


def test_every_changed_byte_gives_facts_or_the_one_error(issued: Any) -> None:
    der = der_of(issued)
    for place in range(len(der)):
        for change in (0x01, 0x80, 0xFF):
            changed = bytearray(der)
            changed[place] ^= change
            try:
                parse_certificate(bytes(changed))
            except BadCertificate:
                continue


def test_base64_is_not_der(issued: Any) -> None:
    with pytest.raises(BadCertificate):
        parse_certificate(base64.b64encode(der_of(issued)))


def test_whose_it_is_who_says_so_and_how_long_its_key_is(authority: Any) -> None:
    facts = parse_certificate(ssl.PEM_cert_to_DER_cert(authority.issue("a.example", rsa=True).certificate.read_text()))
    assert (name_in_words(facts.subject), name_in_words(facts.issuer)) == ("/CN=a.example", "/CN=An authority")
    assert (facts.key, facts.bits) == ("RSA", 2048)
    client = authority.issue(subject="/O=Example/OU=Dev/CN=anna")
    facts = parse_certificate(ssl.PEM_cert_to_DER_cert(client.certificate.read_text()))
    assert (name_in_words(facts.subject), facts.key, facts.bits) == ("/O=Example/OU=Dev/CN=anna", "EC", 256)
    with pytest.raises(BadCertificate):
        name_in_words(b"\x31\x05")
