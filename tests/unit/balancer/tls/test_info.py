"""What servers are told of a client's certificate: printable ASCII, whatever an authority signed."""

import pytest

from balancer.tls.info import ClientCertificate, TlsInfo, client_certificate, client_fields, distinguished_name

ANNA = ((("countryName", "DE"),), (("organizationName", "Example, Inc."),), (("commonName", "anna"),))


def test_a_subject_is_written_with_the_most_specific_first() -> None:
    assert distinguished_name(ANNA) == "CN=anna,O=Example\\, Inc.,C=DE"


def test_several_values_in_one_and_a_type_without_a_short_name() -> None:
    subject = ((("commonName", "anna"), ("emailAddress", "a@b.example")),)
    assert distinguished_name(subject) == "CN=anna+emailAddress=a@b.example"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a\r\nX-Admin: yes", "a\\0D\\0AX-Admin: yes"),
        ("é", "\\C3\\A9"),
        ("#1", "\\#1"),
        (" a b ", "\\ a b\\ "),
        ('"<>;+=\\', '\\"\\<\\>\\;\\+\\=\\\\'),
        ("\x7f\0", "\\7F\\00"),
    ],
)
def test_nothing_leaves_its_field(value: str, written: str) -> None:
    assert distinguished_name(((("commonName", value),),)) == f"CN={written}"


def test_the_last_common_name_counts() -> None:
    subject = ((("commonName", "a"),), (("commonName", "b"),))
    assert client_certificate(subject, "0F", "ab") == ClientCertificate("CN=b,CN=a", "b", "0F", "ab")


def test_a_subject_without_a_common_name() -> None:
    assert client_certificate((), "0F", "ab") == ClientCertificate("", "", "0F", "ab")


def test_the_fields() -> None:
    tls = TlsInfo("TLSv1.3", "X", None, None, client=client_certificate(ANNA, "0F", "ab"))
    assert client_fields(tls, asked=True) == (
        b"X-SSL-Client-Verify: SUCCESS\r\nX-SSL-Client-DN: CN=anna,O=Example\\, Inc.,C=DE\r\nX-SSL-Client-CN: anna\r\n"
        b"X-SSL-Client-Serial: 0F\r\nX-SSL-Client-Fingerprint: ab\r\n"
    )


def test_none_was_shown() -> None:
    assert client_fields(TlsInfo("TLSv1.3", "X", None, None), asked=True) == b"X-SSL-Client-Verify: NONE\r\n"


def test_none_was_asked_for() -> None:
    assert client_fields(TlsInfo("TLSv1.3", "X", None, None), asked=False) == b""
    assert client_fields(None, asked=True) == b""
