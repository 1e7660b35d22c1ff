from dataclasses import replace

from hapair.admin.haproxy_certs import show
from hapair.snapshot import CertificateView
from tests.unit.hapair.admin.sample import NODE

GOOD = CertificateView(
    owner="frontend web", source="/etc/a.pem", names=("a.example", "b.example"), key="EC", expires_in_s=864_001.0,
    trouble=None,
)  # fmt: skip
BAD = CertificateView(owner="frontend web", source="/etc/b.pem", names=(), key="", expires_in_s=None, trouble="no key")
SOME = replace(NODE, certificates=(GOOD, BAD))


def test_the_files() -> None:
    assert show(SOME, ["show", "ssl", "cert"]) == "# filename\n/etc/a.pem\n/etc/b.pem\n"
    assert show(replace(NODE, certificates=()), ["show", "ssl", "cert"]) == ""


def test_one_of_them() -> None:
    assert show(SOME, ["show", "ssl", "cert", "/etc/a.pem"]) == (
        "Filename: /etc/a.pem\nStatus: Used\nExpires in: 10d\n"
        "Subject Alternative Name: DNS:a.example, DNS:b.example\nAlgorithm: EC\n"
    )
    assert show(SOME, ["show", "ssl", "cert", "/etc/b.pem"]) == (
        "Filename: /etc/b.pem\nStatus: Unused\nTrouble: no key\n"
    )
    assert show(SOME, ["show", "ssl", "cert", "/etc/c.pem"]).startswith("Can't display the certificate")
