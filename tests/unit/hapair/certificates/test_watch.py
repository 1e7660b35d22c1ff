"""Certificates that change while the node runs."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from balancer.config import BalancerConfig, CertificateFiles, Frontend, FrontendTls, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.tls.material import Material
from hapair.certificates.store import FileError
from hapair.certificates.watch import CertificateWatch, certificate_views, fatal_troubles
from hapair.snapshot_warnings import warnings_of_certificates

CONFIG = BalancerConfig(
    frontends={
        "web": Frontend(
            listen=(Endpoint("::", 443),),
            pool="web",
            tls=FrontendTls(certificates=(CertificateFiles(certificate="a.pem"),)),
        )
    },
    pools={"web": Pool(servers={"one": Server(address=Endpoint("192.0.2.1", 80))})},
)


def put(issued: Any, path: Path) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(issued.pem)
    fresh.chmod(0o600)
    os.replace(fresh, path)


async def test_a_renewed_certificate_is_told_of_once(
    authority: Any, tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    put(authority.issue("a.example"), tmp_path / "a.pem")
    told: list[Material] = []
    watch = CertificateWatch(CONFIG, tmp_path, told.append)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.sleep(5)
        assert told == []
        renewed = authority.issue("a.example", "b.example")
        put(renewed, tmp_path / "a.pem")
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert [material.frontends["web"].bundles[0].pem for material in told] == [renewed.pem]


def test_a_broken_one_changes_nothing_and_is_said(
    authority: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(authority.issue("a.example"), tmp_path / "a.pem")
    told: list[Material] = []
    watch = CertificateWatch(CONFIG, tmp_path, told.append)
    (tmp_path / "a.pem").write_bytes(b"broken")
    watch.look()
    watch.look()
    assert told == []
    assert [record.message for record in caplog.records] == ["certificate not used"]
    (view,) = watch.views()
    assert (view.names, view.trouble) == (("a.example",), "there is no certificate in it (PEM form is needed)")
    assert watch.fatal == []


MISSING = [
    "frontend web: a.pem: cannot be read: No such file or directory",
    "frontend web: no certificate is fit for use",
]


def test_without_any_the_node_cannot_start(tmp_path: Path) -> None:
    watch = CertificateWatch(CONFIG, tmp_path, lambda material: None)
    assert [str(trouble) for trouble in watch.fatal] == MISSING


def test_another_configuration_is_tried_before_it_is_taken(tmp_path: Path) -> None:
    without = BalancerConfig(frontends={}, pools=CONFIG.pools)
    watch = CertificateWatch(without, tmp_path, lambda material: None)
    tried = watch.tried(CONFIG)
    assert [str(trouble) for trouble in fatal_troubles(tried)] == MISSING
    assert watch.fatal == []
    watch.reload(without, watch.tried(without))
    assert watch.reading.material == Material()


@pytest.mark.parametrize(
    ("days", "warning"),
    [
        (15, []),
        (13.5, ["frontend web: the certificate in a.pem expires in 13 days"]),
        (0.5, ["frontend web: the certificate in a.pem expires today"]),
        (-1, ["frontend web: the certificate in a.pem has expired"]),
    ],
)
def test_the_end_is_warned_about(authority: Any, tmp_path: Path, days: float, warning: list[str]) -> None:
    put(authority.issue("a.example"), tmp_path / "a.pem")
    reading = CertificateWatch(CONFIG, tmp_path, lambda material: None).reading
    now = reading.certificates[0].facts.not_after - days * 86_400
    assert list(warnings_of_certificates(certificate_views(reading, now))) == warning


def test_another_certificate_stands_for_a_file_until_the_file_changes(authority: Any, tmp_path: Path) -> None:
    put(authority.issue("a.example"), tmp_path / "a.pem")
    told: list[Material] = []
    watch = CertificateWatch(CONFIG, tmp_path, told.append)
    other = authority.issue("a.example", "other.example")
    assert (watch.sources, watch.store("a.pem", other.pem)) == (("a.pem",), 1)
    assert [material.frontends["web"].bundles[0].pem for material in told] == [other.pem]
    assert watch.pem_of("a.pem") == other.pem
    (view,) = watch.views()
    assert (view.names, view.replaced) == (("a.example", "other.example"), True)
    assert list(warnings_of_certificates([view])) == [
        "frontend web: another certificate stands for a.pem until that file changes"
    ]
    watch.reload(CONFIG, watch.tried(CONFIG))
    assert watch.reading.material.frontends["web"].bundles[0].pem == other.pem
    watch.look()
    assert len(told) == 1
    renewed = authority.issue("a.example")
    put(renewed, tmp_path / "a.pem")
    watch.look()
    assert [material.frontends["web"].bundles[0].pem for material in told[1:]] == [renewed.pem]
    assert (dict(watch.stored), watch.views()[0].replaced) == ({}, False)


def test_a_file_wins_by_its_key_too(authority: Any, tmp_path: Path) -> None:
    first, other = authority.issue("a.example"), authority.issue("a.example")
    files = CertificateFiles(certificate="a.crt", key="a.key")
    frontend = replace(CONFIG.frontends["web"], tls=FrontendTls(certificates=(files,)))
    for name, content in (("a.crt", first.certificate.read_bytes()), ("a.key", first.key.read_bytes())):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    watch = CertificateWatch(replace(CONFIG, frontends={"web": frontend}), tmp_path, lambda _: None)
    watch.store("a.crt", other.pem)
    assert watch.pem_of("a.crt") == other.pem
    os.replace(tmp_path / "a.key", tmp_path / "old.key")
    (tmp_path / "a.key").write_bytes(first.key.read_bytes())
    (tmp_path / "a.key").chmod(0o600)
    watch.look()
    assert dict(watch.stored) == {}


def test_what_is_not_fit_is_not_put_in_the_place_of_a_file(authority: Any, tmp_path: Path) -> None:
    good = authority.issue("a.example")
    put(good, tmp_path / "a.pem")
    told: list[Material] = []
    watch = CertificateWatch(CONFIG, tmp_path, told.append)
    mixed = authority.issue("a.example").certificate.read_bytes() + good.key.read_bytes()
    with pytest.raises(FileError, match="the key does not belong to the certificate"):
        watch.store("a.pem", mixed)
    named = FrontendTls(certificates=CONFIG.frontends["web"].tls.certificates, default="a.example")  # type: ignore[union-attr]
    config = replace(CONFIG, frontends={"web": replace(CONFIG.frontends["web"], tls=named)})
    watch.reload(config, watch.tried(config))
    with pytest.raises(FileError, match="no certificate is for the default name"):
        watch.store("a.pem", authority.issue("b.example").pem)
    assert (told, watch.pem_of("a.pem"), dict(watch.stored)) == ([], good.pem, {})


def test_one_that_nobody_names_waits_and_is_used_when_it_is_named(authority: Any, tmp_path: Path) -> None:
    put(authority.issue("a.example"), tmp_path / "a.pem")
    watch = CertificateWatch(CONFIG, tmp_path, lambda _: None)
    ready = authority.issue("b.example")
    assert watch.store("b.pem", ready.pem) == 0
    assert (watch.sources, watch.pem_of("b.pem")) == (("a.pem",), ready.pem)
    tls = FrontendTls(certificates=(CertificateFiles(certificate="b.pem"),))
    config = replace(CONFIG, frontends={"web": replace(CONFIG.frontends["web"], tls=tls)})
    watch.reload(config, watch.tried(config))
    assert (watch.sources, watch.reading.material.frontends["web"].bundles[0].pem) == (("b.pem",), ready.pem)
    watch.store("c.pem", ready.pem)
    watch.discard("c.pem")
    assert watch.pem_of("c.pem") is None
