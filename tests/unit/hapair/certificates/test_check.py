"""`hapair check` and certificates."""

from pathlib import Path
from typing import Any

import pytest

from hapair.certificates.check import check_certificates
from hapair.config import ConfigError, load

TEXT = """\
pair:
  nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}
frontends:
  web: {listen: [":443"], pool: web, tls: {certificates: [a.pem], minimum_version: 1.3}}
pools:
  web: {servers: {one: "192.0.2.1:443"}, tls: {server_name: web.example.org}}
"""


@pytest.fixture
def loaded(tmp_path: Path) -> Any:
    file = tmp_path / "hapair.yaml"
    file.write_text(TEXT)
    return load(file)


def test_files_that_are_good(authority: Any, tmp_path: Path, loaded: Any) -> None:
    (tmp_path / "a.pem").write_bytes(authority.issue("a.example").pem)
    (tmp_path / "a.pem").chmod(0o600)
    assert check_certificates(loaded) == []


def test_one_that_cannot_be_read_here_is_only_warned_about(loaded: Any) -> None:
    assert check_certificates(loaded) == [
        "frontend web: a.pem: cannot be read: No such file or directory",
        "frontend web: no certificate is fit for use",
    ]


def test_one_that_is_broken_is_an_error(tmp_path: Path, loaded: Any) -> None:
    (tmp_path / "a.pem").write_bytes(b"x")
    (tmp_path / "a.pem").chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        check_certificates(loaded)
    assert [problem.where for problem in caught.value.problems] == ["frontends.web.tls", "frontends.web.tls"]
    assert "a.pem: there is no certificate in it" in str(caught.value)


def test_one_that_is_about_to_end(authority: Any, tmp_path: Path, loaded: Any) -> None:
    (tmp_path / "a.pem").write_bytes(authority.issue("a.example", days=3).pem)
    (tmp_path / "a.pem").chmod(0o600)
    assert check_certificates(loaded) == ["frontend web: the certificate in a.pem expires in 2 days"]


def test_those_of_the_admin_server(tmp_path: Path, authority: Any) -> None:
    file = tmp_path / "hapair.yaml"
    file.write_text(TEXT.replace(", tls: {certificates: [a.pem], minimum_version: 1.3}", "") + ADMIN)
    assert check_certificates(load(file)) == [
        "admin server: b.pem: cannot be read: No such file or directory",
        "admin server: no certificate is fit for use",
    ]
    (tmp_path / "b.pem").write_bytes(b"x")
    (tmp_path / "b.pem").chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        check_certificates(load(file))
    assert {problem.where for problem in caught.value.problems} == {"admin.tls"}
    (tmp_path / "b.pem").write_bytes(authority.issue("a.example").pem)
    assert check_certificates(load(file)) == []


ADMIN = """\
admin: {listen: ":1338", tls: {certificates: [b.pem]}}
"""
