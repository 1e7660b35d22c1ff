"""Everything that a frontend can do in one file, asked by curl in clear, over TLS and by HTTP/2."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.peers.programs import ROOT, free_port, running

pytestmark = pytest.mark.slow

WORKER, ORIGIN = ROOT / "tests/peers/worker_of_file.py", ROOT / "tests/peers/introduced_origin.py"
FILE = """\
pair: {{nodes: {{here: 127.0.0.1}}}}
drain: 2s
frontends:
  entry:  # a proxy in front: it says by PROXY header who the client is
    mode: tcp
    listen: ["127.0.0.1:{entry}"]
    pool: web-behind-entry
  web:
    listen: ["127.0.0.1:{web}"]
    {tls}
    http2: true
    accept_proxy: [127.0.0.2]
    trusted_proxies: [127.0.0.3]
    request_id: true
    hsts: 1h
    request: {{set_headers: {{X-Client: "{{client}}", X-Scheme: "{{scheme}}"}}}}
    response: {{set_headers: {{X-Served-By: "{{server}}", X-Request-ID: "{{request_id}}"}}, remove_headers: Server}}
    http: {{body: 1KiB}}
    limits: {{requests: [{{rate: 1/h, burst: 2, header: X-Key}}]}}
    compression: {{}}
    access_log: {{format: json, to: {log}, request_headers: User-Agent}}
    routes:
      - {{path: /secret, unless: {{client: 203.0.113.0/24}}, deny: 403}}
      - {{path: "/old/*", redirect: "https://{{hostname}}/new{{path}}"}}
      - {{path: "/api/*", rewrite_path: {{strip: /api}}, request: {{set_headers: {{X-Api: "1"}}}}, pool: api}}
    pool: api
pools:
  api: {{send_proxy: v2, servers: {{origin: "127.0.0.1:{origin}"}}}}
  web-behind-entry: {{send_proxy: v2, source: 127.0.0.2, servers: {{web: "127.0.0.1:{web}"}}}}
"""


@dataclass(frozen=True)
class Site:
    scheme: str
    flags: tuple[str, ...]
    """What makes curl speak the protocol."""
    web: int
    entry: int
    log: Path
    worker: subprocess.Popen[bytes]
    output: Path

    def ask(self, path: str, *flags: str, source: str = "127.0.0.1", by: int | None = None) -> tuple[str, str]:
        """curl's answer: head and body."""
        command = ["curl", "-sS", "-i", "-m", "30", "--interface", source, *self.flags, *flags]
        where = f"{self.scheme}://127.0.0.1:{self.web if by is None else by}{path}"
        run = subprocess.run([*command, where], check=True, stdout=subprocess.PIPE, timeout=60)
        head, _, body = run.stdout.partition(b"\r\n\r\n")
        return head.decode().replace("\r\n", "\n"), body.decode()

    def told(self, path: str, *flags: str, source: str = "127.0.0.1", by: int | None = None) -> Any:
        """What the server heard."""
        return json.loads(self.ask(path, "--compressed", *flags, source=source, by=by)[1])

    def logged(self) -> list[dict[str, Any]]:
        """Once the worker has ended."""
        self.worker.send_signal(signal.SIGTERM)
        assert self.worker.wait(60) == 0
        assert self.output.read_text() == "bugs: 0\n"
        return [json.loads(line) for line in self.log.read_text().splitlines()]


PROTOCOLS = {
    "http1": ("http", ("--http1.1",)),
    "tls": ("https", ("--http1.1", "--insecure")),
    "http2": ("http", ("--http2-prior-knowledge",)),
    "http2-tls": ("https", ("--http2", "--insecure")),
}
STATUS_LINE = {"http1": "HTTP/1.1 ", "tls": "HTTP/1.1 ", "http2": "HTTP/2 ", "http2-tls": "HTTP/2 "}


@pytest.fixture(params=PROTOCOLS)
def site(request: pytest.FixtureRequest, program: Callable[[str], str], issued: Any, tmp_path: Path) -> Iterator[Site]:
    program("curl")
    scheme, flags = PROTOCOLS[request.param]
    web, entry, origin = free_port(), free_port(), free_port()
    log, output, file = tmp_path / "access.log", tmp_path / "worker.log", tmp_path / "hapair.yaml"
    tls = f"tls: {{certificates: [{issued.both}]}}" if scheme == "https" else ""
    file.write_text(FILE.format(web=web, entry=entry, origin=origin, tls=tls, log=log))
    with (
        running([sys.executable, str(ORIGIN), str(origin)], origin, log=tmp_path / "origin.log"),
        running([sys.executable, str(WORKER), str(file), "here"], entry, log=output) as worker,
    ):
        yield Site(scheme, flags, web, entry, log, worker, output)


def status_of(head: str) -> int:
    return int(head.split()[1])


def test_all_of_it(site: Site, request: pytest.FixtureRequest) -> None:
    scheme = site.scheme
    # A route, header rules, compression, PROXY out.
    head, _ = site.ask("/api/x?q=1", "-H", "Accept-Encoding: gzip", "-o", "/dev/null", "-D", "-")
    assert head.startswith(STATUS_LINE[request.node.callspec.id] + "200")
    fields = head.lower().split("\n")[1:]
    assert "content-encoding: gzip" in fields
    assert "x-served-by: origin" in fields
    assert not any(field.startswith("server:") for field in fields)
    assert ("strict-transport-security: max-age=3600" in fields) == (scheme == "https")
    assert any(re.fullmatch("x-request-id: [0-9a-f]{32}", field) for field in fields)
    told = site.told("/api/x?q=1", "-H", "X-Client: 6.6.6.6", "-H", "X_Api: 0", "-H", "X-Forwarded-For: 6.6.6.6")
    assert (told["source"], told["target"], told["length"]) == ("127.0.0.1", "/x?q=1", 0)
    headers = told["headers"]
    assert headers["x-client"] == headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-scheme"] == headers["x-forwarded-proto"] == scheme
    assert (headers["x-api"], headers.get("x_api")) == ("1", None)
    # PROXY in: the client of the proxy in front.
    told = site.told("/y", source="127.0.0.9", by=site.entry)
    assert (told["source"], told["headers"]["x-client"], told["headers"]["x-forwarded-for"]) == ("127.0.0.9",) * 3
    # A trusted proxy, and one who is none.
    trusted = ("-H", "X-Forwarded-For: 203.0.113.7", "-H", "X-Request-ID: given-1")
    told = site.told("/secret", *trusted, source="127.0.0.3")
    assert (told["source"], told["headers"]["x-client"]) == ("203.0.113.7", "203.0.113.7")
    assert told["headers"]["x-forwarded-for"] == "203.0.113.7, 127.0.0.3"
    assert told["headers"]["x-request-id"] == "given-1"
    assert status_of(site.ask("/secret", *trusted)[0]) == 403
    # A redirect whose path is hostile, a body that is too large, one that is not, too many requests.
    moved, _ = site.ask("/old//evil.example")
    assert "\nlocation: https://127.0.0.1/new/old//evil.example" in moved.lower()
    large = site.ask("/up", "--data-binary", "x" * 1025)[0]
    assert status_of(large) == 413
    assert site.told("/up", "--data-binary", "x" * 1024)["length"] == 1024
    keyed = [site.ask("/", "-H", "X-Key: one", "-o", "/dev/null", "-D", "-")[0] for _ in range(3)]
    assert [status_of(head) for head in keyed] == [200, 200, 429]
    assert "\nretry-after: 3600" in keyed[2].lower()
    assert [outline(record) for record in site.logged()] == [
        ("127.0.0.1", "/api/x?q=1", 200, "origin", "--", ""),
        ("127.0.0.1", "/api/x?q=1", 200, "origin", "--", ""),
        ("127.0.0.9", "/y", 200, "origin", "--", ""),
        ("203.0.113.7", "/secret", 200, "origin", "--", ""),
        ("127.0.0.1", "/secret", 403, "", "PR", ""),
        ("127.0.0.1", "/old//evil.example", 302, "", "LR", ""),
        ("127.0.0.1", "/up", 413, "", "PR", "request body too large"),
        ("127.0.0.1", "/up", 200, "origin", "--", ""),
        ("127.0.0.1", "/", 200, "origin", "--", ""),
        ("127.0.0.1", "/", 200, "origin", "--", ""),
        ("127.0.0.1", "/", 429, "", "PR", "too many requests in too short a time"),
    ]


def outline(record: dict[str, Any]) -> tuple[Any, ...]:
    assert record["request_headers"]["User-Agent"].startswith("curl/")
    keys = ("client", "target", "status", "server", "termination", "reason")
    return tuple(record.get(key, "") for key in keys)
