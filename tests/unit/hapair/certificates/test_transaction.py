"""A certificate that is about to be put in the place of another."""

import pytest

from balancer.tls.x509 import BadCertificate
from hapair.certificates.transaction import Transaction, certificates_in, chain_trouble, facts_in, holds_both, merged
from tests.conftest import Authority, Issued


@pytest.fixture(scope="module")
def other(authority: Authority) -> Issued:
    return authority.issue("other.example")


def test_what_does_not_come_stays(issued: Issued, other: Issued) -> None:
    key = other.key.read_bytes()
    assert merged(issued.pem, other.pem) == merged(b"", other.pem)
    with_key = merged(issued.pem, key)
    assert facts_in(with_key)[0].names == ("www.example.org", "*.example.net")
    assert key.strip() in with_key
    assert issued.key.read_bytes().strip() not in with_key
    with_certificate = merged(issued.pem, other.certificate.read_bytes())
    assert facts_in(with_certificate)[0].names == ("other.example",)
    assert issued.key.read_bytes().strip() in with_certificate


def test_a_certificate_and_a_key_belong_together(issued: Issued) -> None:
    assert holds_both(issued.pem)
    assert not holds_both(issued.key.read_bytes())
    assert not holds_both(issued.certificate.read_bytes())


@pytest.mark.parametrize(
    "payload", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
                b"-----BEGIN CERTIFICATE-----\nQUJ\n-----END CERTIFICATE-----\n"]
)  # fmt: skip
def test_what_is_no_certificate_is_none(issued: Issued, payload: bytes) -> None:
    with pytest.raises(BadCertificate):
        merged(issued.pem, payload)


def test_each_certificate_of_a_chain_issued_the_one_before_it(authority: Authority, issued: Issued) -> None:
    own, root = issued.certificate.read_bytes(), authority.pem
    assert len(certificates_in(own + root)) == 2
    assert chain_trouble(own) is None
    assert chain_trouble(own + root) is None
    assert chain_trouble(own + root + root) is None  # it issued itself
    assert chain_trouble(root + own) == "certificate 2 of it did not issue certificate 1"
    assert chain_trouble(own + root + own) == "certificate 3 of it did not issue certificate 2"


def test_no_key_is_ever_shown(issued: Issued) -> None:
    assert repr(Transaction("a.pem", issued.pem)) == "Transaction(source='a.pem')"
