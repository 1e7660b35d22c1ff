"""Certificates that change while the node runs."""

import os
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from balancer.config import BalancerConfig, CertificateFiles, Frontend, FrontendTls, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.tls.material import Material
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


def test_without_any_the_node_cannot_start(tmp_path: Path) -> None:
    watch = CertificateWatch(CONFIG, tmp_path, lambda material: None)
    assert [str(trouble) for trouble in watch.fatal] == ["frontend web: no certificate is fit for use"]


def test_another_configuration_is_tried_before_it_is_taken(tmp_path: Path) -> None:
    without = BalancerConfig(frontends={}, pools=CONFIG.pools)
    watch = CertificateWatch(without, tmp_path, lambda material: None)
    tried = watch.tried(CONFIG)
    assert [str(trouble) for trouble in fatal_troubles(tried)] == ["frontend web: no certificate is fit for use"]
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
