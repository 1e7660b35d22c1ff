"""TLS keys: what is refused, and in which words."""

from typing import Any

import pytest

from balancer.config_tls import CertificateFiles, FrontendTls, PoolTls, is_server_name

FILES = (CertificateFiles(certificate="tls/example.org.pem"),)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"certificates": ()}, "certificates must name at least one"),
        ({"default": "Www.Example.org"}, "default must be a host name in lower case"),
        ({"ciphers": "a b"}, "ciphers must be a list in OpenSSL's form"),
        ({"client_ca": ""}, "client_ca must be the path"),
        ({"client_certificate": "optional"}, "client_certificate needs client_ca"),
        ({"alpn": ("h2 c",)}, "alpn must be a list of protocols"),
    ],
)
def test_a_frontend_that_does_not_hold_together(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FrontendTls(**{"certificates": FILES, **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ca": "\n"}, "ca must be the path"),
        ({"key": "a.key"}, "key needs certificate"),
        ({"server_name": "*.example.org"}, "server_name must be a host name"),
        ({"server_name": "a..b"}, "server_name must be a host name"),
        ({"verify": False, "ca": "ca.pem"}, "ca is of no use with verify: false"),
        ({"ciphers": "x;y"}, "ciphers must be a list"),
    ],
)
def test_a_pool_that_does_not_hold_together(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PoolTls(**given)


def test_a_certificate_without_a_path() -> None:
    with pytest.raises(ValueError, match="certificate must be the path of a file"):
        CertificateFiles(certificate="")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("example.org", True),
        ("*.example.org", True),
        ("localhost", True),
        ("xn--bcher-kva.example", True),
        ("*", False),
        ("a.*.b", False),
        ("-a.example", False),
        ("a" * 64 + ".example", False),
        ("exa mple.org", False),
        ("example.org.", False),
        ("", False),
    ],
)
def test_host_names(name: str, is_one: bool) -> None:
    assert is_server_name(name) is is_one
