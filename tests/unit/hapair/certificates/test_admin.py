"""HTTPS of the admin server: by the rules of a frontend's, renewed while it runs."""

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio

from balancer.config import CertificateFiles, FrontendTls
from balancer.fieldtypes import Endpoint
from hapair.admin.logins import Logins
from hapair.admin.router import Request, Response, Route, Router, text
from hapair.admin.server import AdminServer
from hapair.certificates.admin import AdminTls
from hapair.config.admin import AdminSection

PLAIN = AdminSection(listen=(Endpoint("127.0.0.1", 1338),))
ADMIN = AdminSection(
    listen=(Endpoint("127.0.0.1", 1338),), tls=FrontendTls(certificates=(CertificateFiles(certificate="admin.pem"),))
)


def put(issued: Any, path: Path) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(issued.pem)
    fresh.chmod(0o600)
    os.replace(fresh, path)


async def hello(request: Request) -> Response:
    return text(200, "hello over TLS\n")


async def test_pages_come_by_https_and_a_renewed_certificate_is_served(authority: Any, tmp_path: Path) -> None:
    put(authority.issue("127.0.0.1", subject="/CN=first"), tmp_path / "admin.pem")
    tls = AdminTls(ADMIN, tmp_path)
    server = AdminServer(Router([Route(path="/", handler=hello, level=None)]), Logins({}), tls.contexts)
    context = ssl.create_default_context(cadata=authority.pem.decode())

    async def get(port: int) -> tuple[str, bytes]:
        plain = await trio.open_tcp_stream("127.0.0.1", port)
        async with trio.SSLStream(plain, context, server_hostname="127.0.0.1", https_compatible=True) as client:
            await client.do_handshake()
            shown = dict(item[0] for item in client.getpeercert()["subject"])
            await client.send_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            answer = b"".join([piece async for piece in client])
            return shown["commonName"], answer

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        nursery.start_soon(server.serve, [listener])
        name, answer = await get(port)
        assert (name, answer.endswith(b"hello over TLS\n")) == ("first", True)
        put(authority.issue("127.0.0.1", subject="/CN=second"), tmp_path / "admin.pem")
        tls.look()
        assert (await get(port))[0] == "second"
        (tmp_path / "admin.pem").write_bytes(b"broken")
        tls.look()
        assert (await get(port))[0] == "second"
        nursery.cancel_scope.cancel()
    (view,) = tls.views()
    assert (view.owner, view.source) == ("admin server", "admin.pem")
    assert view.trouble is not None


async def test_who_speaks_no_tls_is_let_go(authority: Any, tmp_path: Path) -> None:
    put(authority.issue("127.0.0.1"), tmp_path / "admin.pem")
    tls = AdminTls(ADMIN, tmp_path)
    server = AdminServer(Router([Route(path="/", handler=hello, level=None)]), Logins({}), tls.contexts)
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(server.serve, [listener])
        async with await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1]) as client:
            await client.send_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"HTTP" not in b"".join([piece async for piece in client])
        nursery.cancel_scope.cancel()


MISSING = [
    "admin server: admin.pem: cannot be read: No such file or directory",
    "admin server: no certificate is fit for use",
]


def test_a_certificate_that_is_not_there_is_fatal(tmp_path: Path) -> None:
    tls = AdminTls(ADMIN, tmp_path)
    assert tls.contexts is None
    assert [str(one) for one in tls.fatal] == MISSING


def test_without_tls_there_is_nothing_to_serve_with(tmp_path: Path) -> None:
    tls = AdminTls(PLAIN, tmp_path)
    assert (tls.contexts, tls.fatal, tls.views()) == (None, [], ())


def test_a_reload_brings_tls_takes_it_and_keeps_what_has_not_changed(authority: Any, tmp_path: Path) -> None:
    tls = AdminTls(PLAIN, tmp_path)
    assert [str(one) for one in tls.tried(ADMIN)] == MISSING
    put(authority.issue("127.0.0.1"), tmp_path / "admin.pem")
    assert tls.tried(ADMIN) == []
    assert tls.contexts is None
    tls.reload(ADMIN)
    contexts = tls.contexts
    assert contexts is not None
    tls.reload(ADMIN)
    assert tls.contexts is contexts
    tls.reload(PLAIN)
    assert (tls.contexts, tls.views()) == (None, ())


def test_alpn_is_not_for_it() -> None:
    with pytest.raises(ValueError, match=r"tls\.alpn is for frontends"):
        AdminSection(
            listen=ADMIN.listen,
            tls=FrontendTls(certificates=(CertificateFiles(certificate="admin.pem"),), alpn=("h2",)),
        )
