"""Web servers of other makes, to stand behind a worker. Each serves /small, /big and, where it can, POST /digest."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.peers.programs import free_port, running

SMALL = b"hello\n"
BIG_BYTES = 20 * 1024 * 1024
BIG_LINE = b"0123456789abcdef" * 64
"""/big is this again and again."""

_WSGI = """
import hashlib

LINE = b"0123456789abcdef" * 64


def application(environ, start_response):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path == "/digest" and method == "POST":
        digest = hashlib.sha256()
        while data := environ["wsgi.input"].read(65536):
            digest.update(data)
        body = digest.hexdigest().encode()
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]
    if path == "/small":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
        return [b"hello\\n"]
    if path == "/big":  # no length: in chunks
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return (LINE * 64 for _ in range(320))
    start_response("404 Not Found", [("Content-Length", "0")])
    return []
"""

_NODE = """
const http = require("http"), crypto = require("crypto");
const line = Buffer.alloc(65536, "0123456789abcdef");
http.createServer((request, response) => {
  if (request.url === "/digest" && request.method === "POST") {
    const digest = crypto.createHash("sha256");
    request.on("data", (data) => digest.update(data));
    request.on("end", () => response.end(digest.digest("hex")));
  } else if (request.url === "/small") {
    response.setHeader("Content-Length", "6");
    response.end("hello\\n");
  } else if (request.url === "/big") {
    let left = 320;
    const more = () => {
      while (left > 0) { left -= 1; if (!response.write(line)) { response.once("drain", more); return; } }
      response.end();
    };
    more();
  } else { response.statusCode = 404; response.end(); }
}).listen(Number(process.argv[2]), "127.0.0.1");
"""


def _files(where: Path) -> Path:
    root = where / "files"
    root.mkdir(exist_ok=True)
    (root / "small").write_bytes(SMALL)
    (root / "big").write_bytes(BIG_LINE * (BIG_BYTES // len(BIG_LINE)))
    for path in (where, root):
        path.chmod(0o755)
    return root


@contextlib.contextmanager
def nginx(program: str, where: Path) -> Iterator[int]:
    port = free_port()
    config = where / "nginx.conf"
    config.write_text(
        f"master_process off; pid {where}/nginx.pid; error_log {where}/nginx.err;\nevents {{}}\n"
        f"http {{ access_log off; client_body_temp_path {where}/body; proxy_temp_path {where}/proxy;\n"
        f"fastcgi_temp_path {where}/f; uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;\n"
        f"server {{ listen 127.0.0.1:{port}; root {_files(where)}; }} }}\n"
    )
    with running([program, "-c", str(config), "-g", "daemon off;"], port, log=where / "nginx.log"):
        yield port


@contextlib.contextmanager
def caddy(program: str, where: Path) -> Iterator[int]:
    port = free_port()
    config = where / "Caddyfile"
    config.write_text(
        f"{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port} {{\n root * {_files(where)}\n file_server\n}}\n"
    )
    homes = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(where))
    command = [program, "run", "--adapter", "caddyfile", "--config", str(config)]
    with running(command, port, env=os.environ | homes, log=where / "caddy.log"):
        yield port


@contextlib.contextmanager
def gunicorn(_: str, where: Path) -> Iterator[int]:
    port = free_port()
    (where / "digest_app.py").write_text(_WSGI)
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--chdir", str(where)]
    command += ["--worker-class", "gthread", "--threads", "4", "--keep-alive", "5", "digest_app"]
    with running(command, port, log=where / "gunicorn.log"):
        yield port


@contextlib.contextmanager
def node(program: str, where: Path) -> Iterator[int]:
    port = free_port()
    script = where / "server.js"
    script.write_text(_NODE)
    with running([program, str(script), str(port)], port, log=where / "node.log"):
        yield port


Start = Callable[[str, Path], contextlib.AbstractContextManager[int]]
ORIGINS: dict[str, Start] = {"nginx": nginx, "caddy": caddy, "gunicorn": gunicorn, "node": node}
DIGESTS = ("gunicorn", "node")
