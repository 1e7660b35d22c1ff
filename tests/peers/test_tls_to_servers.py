"""TLS with servers through a whole worker: whom it believes, what it asks for and shows, what a log says."""

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.peers.programs import ROOT, free_port, running

pytestmark = pytest.mark.slow

WORKER = ROOT / "tests/peers/worker_of_file.py"
FILE = """\
pair: {{nodes: {{here: 127.0.0.1}}}}
drain: 1s
frontends:
  web:
    listen: ["127.0.0.1:{web}"]
    access_log: {{format: json, to: {folder}/access.log}}
    routes:
      - {{path: /default, pool: default}}
      - {{path: /address, pool: address}}
      - {{path: /named, pool: named}}
      - {{path: /unverified, pool: unverified}}
      - {{path: /other-name, pool: other-name}}
      - {{path: /expired, pool: expired}}
      - {{path: /stranger, pool: stranger}}
      - {{path: /silent, pool: silent}}
      - {{path: /shown, pool: shown}}
      - {{path: /not-shown, pool: not-shown}}
      - {{path: /old, pool: old}}
    pool: default
  raw: {{listen: ["127.0.0.1:{raw}"], mode: tcp, pool: named}}
  raw-refused:
    listen: ["127.0.0.1:{refused}"]
    mode: tcp
    access_log: {{format: json, to: {folder}/raw.log}}
    pool: expired
pools:
  default: {{tls: {{}}, servers: {{a: "127.0.0.1:{good}"}}}}
  address: {{tls: {{ca: ca.pem}}, servers: {{a: "127.0.0.1:{good}"}}}}
  named: {{tls: {{ca: ca.pem, server_name: www.example.org}}, servers: {{a: "127.0.0.1:{good}"}}}}
  unverified: {{tls: {{verify: false, server_name: any.example}}, servers: {{a: "127.0.0.1:{stranger}"}}}}
  other-name: {{tls: {{ca: ca.pem, server_name: other.example}}, servers: {{a: "127.0.0.1:{good}"}}}}
  expired: {{tls: {{ca: ca.pem}}, servers: {{a: "127.0.0.1:{expired}"}}, retries: 0}}
  stranger: {{tls: {{ca: ca.pem}}, servers: {{a: "127.0.0.1:{stranger}", b: "127.0.0.1:{good}"}}, policy: first}}
  silent: {{tls: {{ca: ca.pem}}, servers: {{a: "127.0.0.1:{silent}"}}, timeouts: {{connect: 300ms}}, retries: 0}}
  shown: {{tls: {{ca: ca.pem, certificate: client.pem}}, servers: {{a: "127.0.0.1:{asking}"}}}}
  not-shown: {{tls: {{ca: ca.pem, minimum_version: 1.2}}, servers: {{a: "127.0.0.1:{asking}"}}, retries: 0}}
  old: {{tls: {{ca: ca.pem, minimum_version: 1.3}}, servers: {{a: "127.0.0.1:{old}"}}, retries: 0}}
"""


class TlsServer:
    """Says which name it was asked for, and who the client says that it is. Not `newest`: TLS 1.2 at most."""

    def __init__(self, certificate: Path, *, client_ca: Path | None = None, newest: bool = True) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.sni_callback = self._remember
        if not newest:
            self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        if client_ca is not None:
            self._context.load_verify_locations(client_ca)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._names: dict[int, str | None] = {}
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _remember(self, connection: Any, name: str | None, _: ssl.SSLContext) -> None:
        self._names[threading.get_ident()] = name

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self.socket.accept()
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        accepted.settimeout(10)
        with contextlib.suppress(OSError), accepted, self._context.wrap_socket(accepted, server_side=True) as secured:
            shown = secured.getpeercert() or {}
            body = f"{self._names.get(threading.get_ident())} {shown.get('subject', '')}".encode()
            while request := secured.recv(65536):
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                if b"Connection: close" in request:
                    secured.unwrap()
                    break


@dataclass(frozen=True)
class Site:
    web: int
    raw: int
    refused: int
    folder: Path
    worker: subprocess.Popen[bytes]

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body."""
        return asked(self.web, path)

    def logged(self, file: str) -> list[dict[str, Any]]:
        self.worker.send_signal(signal.SIGTERM)
        assert self.worker.wait(60) == 0
        return [json.loads(line) for line in (self.folder / file).read_text().splitlines()]


def asked(port: int, path: str) -> tuple[int, str]:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        response = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


@pytest.fixture
def site(program: Callable[[str], str], authority: Any, issued: Any, tmp_path: Path) -> Iterator[Site]:
    stranger = tmp_path / "stranger.pem"
    make_self_signed(program("openssl"), stranger)
    expired = make_expired(program("openssl"), authority, tmp_path)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    client = authority.issue(subject="/CN=balancer")
    (tmp_path / "client.pem").write_bytes(client.pem)
    (tmp_path / "client.pem").chmod(0o600)
    servers = {
        "good": TlsServer(issued.both),
        "expired": TlsServer(expired),
        "stranger": TlsServer(stranger),
        "asking": TlsServer(issued.both, client_ca=tmp_path / "ca.pem", newest=False),
        "old": TlsServer(issued.both, newest=False),
    }
    silent = socket.create_server(("127.0.0.1", 0))
    ports = {name: server.port for name, server in servers.items()} | {"silent": silent.getsockname()[1]}
    web, raw, refused = free_port(), free_port(), free_port()
    file = tmp_path / "hapair.yaml"
    file.write_text(FILE.format(web=web, raw=raw, refused=refused, folder=tmp_path, **ports))
    with running([sys.executable, str(WORKER), str(file), "here"], web, log=tmp_path / "worker.log") as worker:
        yield Site(web, raw, refused, tmp_path, worker)
    for server in servers.values():
        server.socket.close()
    silent.close()


def make_self_signed(openssl: str, path: Path) -> None:
    new = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=any.example"]
    subprocess.run([openssl, "req", *new, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    with path.open("a") as file:
        file.write(Path(f"{path}.crt").read_text())


def make_expired(openssl: str, authority: Any, folder: Path) -> Path:
    """`openssl req` makes none that ends before today."""
    key, request, certificate = folder / "expired.pem", folder / "expired.csr", folder / "expired.crt"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    signed = ["-CA", authority.itself.certificate, "-CAkey", authority.itself.key, "-copy_extensions", "copy"]
    for command in (
        ["req", *new, *names, "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, *signed, "-days", "-1", "-out", certificate],
    ):
        subprocess.run([openssl, *command], check=True, capture_output=True)
    with key.open("a") as file:
        file.write(certificate.read_text())
    return key


def test_whom_it_believes_what_it_asks_for_and_what_it_shows(site: Site) -> None:
    assert site.ask("/address") == (200, "None ")  # verified by the address, which is no name to ask for
    assert site.ask("/named") == (200, "www.example.org ")
    assert asked(site.raw, "/") == (200, "www.example.org ")
    assert site.ask("/unverified") == (200, "any.example ")
    assert site.ask("/stranger") == (200, "None ")  # from the next server
    assert site.ask("/shown") == (200, "None ((('commonName', 'balancer'),),)")
    for path in ("/default", "/other-name", "/expired", "/silent", "/not-shown", "/old"):
        status, body = site.ask(path)
        assert (status, "127.0.0.1:" in body) == (503, False), (path, body)
    with socket.create_connection(("127.0.0.1", site.refused), 10) as client:
        assert client.recv(100) == b""
    raw = site.logged("raw.log")
    reasons = {one["target"]: said_of(one) for one in site.logged("access.log") if one["status"] == 503}
    verify = "no TLS: certificate verify failed: "
    assert reasons == {
        "/default": f"{verify}unable to get local issuer certificate",
        "/other-name": f"{verify}Hostname mismatch, certificate is not valid for 'other.example'.",
        "/expired": f"{verify}certificate has expired",
        "/silent": "Connection timed out",
        "/not-shown": "no TLS: sslv3 alert handshake failure",
        "/old": "no TLS: tlsv1 alert protocol version",
    }
    assert [said_of(one) for one in raw] == [f"{verify}certificate has expired"]


def said_of(record: dict[str, Any]) -> str:
    assert record["termination"] == "SC"
    words = str(record["reason"])
    assert words.startswith("no server could be reached; at last 127.0.0.1:")
    return words.split(": ", 1)[1]
