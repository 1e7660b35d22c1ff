"""Reading and judging files; what is broken is said and left out, what was good is kept."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from balancer.config import BalancerConfig, CertificateFiles, Frontend, FrontendTls, Pool, PoolTls, Server
from balancer.fieldtypes import Endpoint
from hapair.certificates.store import FileError, Reading, judge, read_all, read_file, signature

NOW = 0.0
SERVER = {"one": Server(address=Endpoint("192.0.2.1", 443))}


def config_of(*certificates: CertificateFiles, pool: PoolTls | None = None, **tls: Any) -> BalancerConfig:
    frontend = Frontend(listen=(Endpoint("::", 443),), pool="web", tls=FrontendTls(certificates=certificates, **tls))
    return BalancerConfig(frontends={"web": frontend}, pools={"web": Pool(servers=SERVER, tls=pool)})


def put(issued: Any, path: Path, mode: int = 0o600) -> None:
    path.write_bytes(issued.pem)
    path.chmod(mode)


def said(reading: Reading) -> list[str]:
    return [str(trouble) for trouble in reading.troubles]


def names(reading: Reading) -> list[tuple[str, ...]]:
    return [bundle.names for bundle in reading.material.frontends["web"].bundles]


FOLDER = CertificateFiles(certificate="tls")


def test_a_folder_with_files_and_with_folders_in_it(authority: Any, tmp_path: Path) -> None:
    live = tmp_path / "tls" / "b.example"
    live.mkdir(parents=True)
    one, other = authority.issue("a.example"), authority.issue("b.example")
    put(one, tmp_path / "tls" / "a.pem")
    (live / "fullchain.pem").write_bytes(other.certificate.read_bytes())
    (live / "privkey.pem").write_bytes(other.key.read_bytes())
    (live / "privkey.pem").chmod(0o640)
    reading = read_all(config_of(FOLDER), tmp_path, NOW)
    assert said(reading) == []
    assert names(reading) == [("a.example",), ("b.example",)]
    assert [one.source for one in reading.certificates] == ["tls/a.pem", "tls/b.example/fullchain.pem"]


def test_a_pair_of_files_and_the_default_by_name(authority: Any, tmp_path: Path) -> None:
    one, other = authority.issue("a.example"), authority.issue("*.b.example")
    files = [CertificateFiles(certificate=str(each.certificate), key=str(each.key)) for each in (one, other)]
    for each in (one, other):
        each.key.chmod(0o600)
    reading = read_all(config_of(*files, default="x.b.example"), tmp_path, NOW)
    assert said(reading) == []
    assert reading.material.frontends["web"].default == 1
    unknown = read_all(config_of(*files, default="c.example"), tmp_path, NOW)
    assert said(unknown) == ["frontend web: no certificate is for the default name c.example"]
    assert unknown.troubles[0].fatal


def test_what_is_broken_is_left_out_and_said(authority: Any, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    good, other = authority.issue("a.example"), authority.issue("b.example")
    put(good, folder / "a.pem")
    put(other, folder / "open.pem", 0o644)
    (folder / "mixed.crt").write_bytes(good.certificate.read_bytes())
    (folder / "mixed.key").write_bytes(other.key.read_bytes())
    (folder / "mixed.key").chmod(0o600)
    (folder / "nothing.pem").write_bytes(b"")
    (folder / "nothing.pem").chmod(0o600)
    (folder / "lone.crt").write_bytes(good.certificate.read_bytes())
    (folder / "lone.crt").chmod(0o600)
    reading = read_all(config_of(FOLDER), tmp_path, NOW)
    assert names(reading) == [("a.example",)]
    assert said(reading) == [
        "frontend web: tls/lone.crt: there is no private key in it; name its file with `key`",
        "frontend web: tls/mixed.crt: the key does not belong to the certificate",
        "frontend web: tls/nothing.pem: there is no certificate in it (PEM form is needed)",
        "frontend web: tls/open.pem: open.pem holds a key and is open to everybody: chmod 0640, or 0600",
    ]


def test_a_frontend_without_any_is_fatal(tmp_path: Path) -> None:
    reading = read_all(config_of(FOLDER), tmp_path, NOW)
    assert said(reading) == [
        "frontend web: tls: cannot be read: No such file or directory",
        "frontend web: no certificate is fit for use",
    ]
    assert [(trouble.absent, trouble.fatal) for trouble in reading.troubles] == [(True, False), (False, True)]


def test_the_last_good_state_is_kept(authority: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    put(authority.issue("a.example"), file)
    config = config_of(CertificateFiles(certificate="a.pem"))
    before = read_all(config, tmp_path, NOW)
    file.write_bytes(b"half of it")
    after = read_all(config, tmp_path, NOW, before)
    assert after.material == before.material
    assert said(after) == ["frontend web: a.pem: there is no certificate in it (PEM form is needed)"]
    file.unlink()
    assert read_all(config, tmp_path, NOW, after).material == before.material


def test_one_that_has_expired_does_not_take_the_place_of_one_that_has_not(authority: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    put(authority.issue("a.example", days=90), file)
    config = config_of(CertificateFiles(certificate="a.pem"))
    before = read_all(config, tmp_path, NOW)
    put(authority.issue("a.example", days=1), file)
    later = before.certificates[0].facts.not_after - 86_400
    after = read_all(config, tmp_path, later, before)
    assert after.material == before.material
    assert said(after) == ["frontend web: a.pem: has expired; the one before it is still good"]
    assert said(read_all(config, tmp_path, later)) == [], "better than none"


def test_two_of_a_kind_for_one_name(authority: Any, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    put(authority.issue("a.example"), folder / "1.pem")
    put(authority.issue("a.example", rsa=True), folder / "2.pem")
    put(authority.issue("b.example", "a.example"), folder / "3.pem")
    reading = read_all(config_of(FOLDER), tmp_path, NOW)
    assert said(reading) == []
    assert [str(note) for note in reading.notes] == [
        "frontend web: tls/3.pem: a.example is also in tls/1.pem, which has a key of the same kind and comes first"
    ]


def test_the_authorities_of_clients_and_of_servers(authority: Any, tmp_path: Path) -> None:
    put(authority.issue("a.example"), tmp_path / "a.pem")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    pool = PoolTls(ca="ca.pem", certificate="a.pem")
    config = config_of(CertificateFiles(certificate="a.pem"), client_ca="ca.pem", pool=pool)
    reading = read_all(config, tmp_path, NOW)
    assert said(reading) == []
    assert reading.material.frontends["web"].client_ca == authority.pem
    assert reading.material.pools["web"].ca == authority.pem
    (tmp_path / "ca.pem").write_bytes(b"nothing")
    after = read_all(config, tmp_path, NOW, reading)
    assert after.material == reading.material
    assert said(after) == [
        "frontend web: ca.pem: no certificate in PEM form",
        "pool web: ca.pem: no certificate in PEM form",
    ]


def test_the_signature_changes_with_any_of_the_files(authority: Any, tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    put(authority.issue("a.example"), folder / "a.pem")
    config = config_of(FOLDER)
    seen = [signature(config, tmp_path)]
    for change in (
        lambda: (folder / "a.pem").write_bytes(b"x"),
        lambda: (folder / "b.pem").write_bytes(b"x"),
        lambda: (folder / "b.pem").unlink(),
        lambda: (folder / "a.pem").chmod(0o644),
    ):
        change()
        seen.append(signature(config, tmp_path))
    assert all(one != other for one, other in pairwise(seen))
    assert signature(config, tmp_path) == seen[-1]


def test_without_tls_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    plain = BalancerConfig(frontends={}, pools={"web": Pool(servers=SERVER)})
    assert signature(plain, tmp_path) == {}
    assert read_all(plain, tmp_path, NOW) == Reading(read_all(plain, tmp_path, NOW).material)


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="not a regular file"):
        read_file(tmp_path)


def test_garbage_between_the_lines() -> None:
    with pytest.raises(FileError, match="no certificate"):
        judge(b"-----BEGIN CERTIFICATE-----\nxx")
    with pytest.raises(FileError):
        judge(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
