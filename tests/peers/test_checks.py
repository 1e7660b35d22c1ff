"""Every kind of check beside the real thing, on the loopback: well, and not as it should be."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from balancer.checks.probes import ProbeResult, probe
from balancer.config import Check
from balancer.config_checks import CheckStep, CheckTls
from balancer.fieldtypes import Endpoint
from tests.conftest import Issued, leave_out
from tests.peers.programs import free_port, running

Program = Callable[[str], str]


def look(port: int, check: Check) -> tuple[bool | None, str]:
    result: ProbeResult = trio.run(partial(probe, check), Endpoint("127.0.0.1", port))
    return result.ok, result.reason


@contextlib.contextmanager
def folder_of(user: str) -> Iterator[Path]:
    """A temporary folder that belongs to a user, where tests run as root; else to us."""
    folder = Path(tempfile.mkdtemp(prefix="hapair-peer-"))
    try:
        if os.getuid() == 0:
            try:
                entry = pwd.getpwnam(user)
            except KeyError:
                leave_out(f"there is no user {user}")
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder)


def as_user(user: str) -> list[str]:
    """The beginning of a command that some programs insist on: not to be root."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if os.getuid() == 0 else []


@pytest.fixture(scope="module")
def redis(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., int]]:
    path, folder = program("redis-server"), tmp_path_factory.mktemp("redis")
    with contextlib.ExitStack() as stack:

        def start(*options: str) -> int:
            port = free_port()
            command = [path, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options]
            stack.enter_context(running(command, port, log=folder / f"{port}.log"))
            return port

        yield start


def test_redis(redis: Callable[..., int]) -> None:
    port = redis()
    steps = (CheckStep(send="PING\r\n", expect="+PONG"), CheckStep(send="INFO replication\r\n", expect="role:master"))

    assert look(port, Check(redis="ping")) == (True, "PONG")
    assert look(port, Check(tcp="connect", steps=steps)) == (True, "2 steps done")
    assert look(port, Check()) == (True, "connected")
    assert look(port, Check(postgres="startup", user="hapair"))[0] is False
    assert look(port, Check(smtp="hello", timeout_s=0.2)) == (
        False,
        "timeout after 200ms while waiting for the response",
    )


def test_redis_that_asks_for_a_password(redis: Callable[..., int]) -> None:
    assert look(redis("--requirepass", "secret"), Check(redis="ping")) == (True, "asks for a password")


@pytest.fixture(scope="module")
def postgres() -> Iterator[int]:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        leave_out("no postgres on this machine: apt install postgresql")
    with folder_of("postgres") as folder:
        data, port = folder / "data", free_port()
        initdb = [*as_user("postgres"), str(folders[-1] / "initdb"), "-D", str(data), "-U", "postgres"]
        initdb += ["-A", "trust", "--no-sync", "--no-instructions"]
        subprocess.run(initdb, check=True, capture_output=True, timeout=60, cwd=folder)
        command = [*as_user("postgres"), str(folders[-1] / "postgres"), "-D", str(data), "-p", str(port)]
        with running([*command, "-h", "127.0.0.1", "-k", str(folder), "-F"], port, log=Path(f"{folder}.log")) as child:
            _await_answers(port, child)
            yield port
        Path(f"{folder}.log").unlink()


def _await_answers(port: int, child: subprocess.Popen[bytes]) -> None:
    """It listens before it is ready, and says so to the check."""
    for _ in range(100):
        passed, reason = look(port, Check(postgres="startup", user="postgres"))
        if passed:
            return
        assert reason == "the database system is starting up"
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.1)


def test_postgres(postgres: int) -> None:
    assert look(postgres, Check(postgres="startup", user="postgres")) == (True, "answers")
    assert look(postgres, Check(postgres="startup", user="hapair")) == (True, "answers")
    assert look(postgres, Check(mysql="handshake", timeout_s=0.3))[0] is False


@pytest.fixture(scope="module")
def mariadb(program: Program) -> Iterator[int]:
    server, install = program("mariadbd"), program("mariadb-install-db")
    with folder_of("mysql") as folder:
        data, port = folder / "data", free_port()
        users = folder / "users.sql"
        users.write_text("CREATE USER hapair@'127.0.0.1';\nCREATE USER other@'127.0.0.1' IDENTIFIED BY 'secret';\n")
        users.chmod(0o644)
        options = ["--no-defaults", f"--datadir={data}"]
        command = [*as_user("mysql"), install, *options, "--skip-test-db", "--auth-root-authentication-method=normal"]
        subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=folder)
        command = [*as_user("mysql"), server, *options, f"--socket={folder}/sock", f"--port={port}"]
        command += ["--bind-address=127.0.0.1", f"--init-file={users}", f"--pid-file={folder}/pid"]
        command += ["--skip-name-resolve", "--innodb-flush-method=fsync"]
        with running(command, port, log=Path(f"{folder}.log")):
            yield port
        Path(f"{folder}.log").unlink()


def test_mariadb(mariadb: int) -> None:
    passed, version = look(mariadb, Check(mysql="handshake"))
    assert passed
    assert "MariaDB" in version
    assert look(mariadb, Check(mysql="handshake", user="hapair")) == (True, version)
    passed, reason = look(mariadb, Check(mysql="handshake", user="other"))
    assert (passed, reason.startswith("Access denied for user 'other'")) == (False, True)


def test_a_login_does_not_count_as_a_broken_handshake(mariadb: int) -> None:
    """The server would block us after 100 of them."""
    results = {look(mariadb, Check(mysql="handshake", user="hapair"))[0] for _ in range(120)}

    assert results == {True}


def test_dnsmasq(program: Program, tmp_path: Path) -> None:
    port = free_port()
    command = [program("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", f"--port={port}", "--pid-file="]
    command += ["--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts", "--user="]
    command += ["--address=/example.test/192.0.2.7"]
    with running(command, port, log=tmp_path / "log"):
        assert look(port, Check(dns="www.example.test")) == (True, "1 record")
        assert look(port, Check(dns="www.example.test AAAA"))[0] is False
        assert look(port, Check(dns="example.org"))[0] is False
        step = CheckStep(send_hex="1234 0100 0001 0000 0000 0000 04 74657374 00 0001 0001", expect_hex="1234 81")
        assert look(port, Check(udp=step)) == (True, "answered")
    assert look(port, Check(dns="www.example.test")) == (False, "connection refused")


NGINX = """\
daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
{user}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{secret} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location = /healthz {{ return 200 "all is well\\n"; }}
    location = /sick {{ return 503; }}
    location = /who {{ return 200 "$request_method $host $http_x_check $server_protocol"; }}
  }}
}}
"""


@pytest.fixture(scope="module")
def nginx(program: Program, issued: Issued, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    folder, plain, secret = tmp_path_factory.mktemp("nginx"), free_port(), free_port()
    text = NGINX.format(
        folder=folder, plain=plain, secret=secret, certificate=issued.certificate, key=issued.key,
        user="user root;" if os.getuid() == 0 else "",
    )  # fmt: skip
    (folder / "nginx.conf").write_text(text)
    with running([program("nginx"), "-c", str(folder / "nginx.conf")], plain, log=folder / "log"):
        yield plain, secret


def test_nginx(nginx: tuple[int, int]) -> None:
    plain, _ = nginx
    assert look(plain, Check(http="GET /healthz", expect_body="all is well")) == (True, "HTTP 200")
    assert look(plain, Check(http="GET /healthz", expect_body="unwell"))[0] is False
    assert look(plain, Check(http="HEAD /healthz", expect="200")) == (True, "HTTP 200")
    assert look(plain, Check(http="GET /sick")) == (False, "HTTP 503")
    assert look(plain, Check(http="GET /sick", expect="503")) == (True, "HTTP 503")
    check = Check(
        http="POST /who", http_version="1.0", host="a.test", headers={"X-Check": "yes"}, body="x",
        expect_body_regex="^POST a.test yes HTTP/1.0$",
    )  # fmt: skip
    assert look(plain, check) == (True, "HTTP 200")


def test_nginx_over_tls(nginx: tuple[int, int], authority: object) -> None:
    _, secret = nginx
    ca_file = str(authority.itself.certificate)  # type: ignore[attr-defined]
    trusting = CheckTls(ca_file=ca_file, name="www.example.org")

    passed, version = look(secret, Check(tls=trusting))
    assert (passed, version[:6]) == (True, "TLSv1.")
    assert look(secret, Check(tls=trusting, http="GET /healthz", expect_body="well")) == (True, "HTTP 200")
    assert look(secret, Check(tls=CheckTls(verify=False), http="GET /healthz")) == (True, "HTTP 200")
    passed, reason = look(secret, Check(tls=CheckTls(ca_file=ca_file, name="www.example.com")))
    assert (passed, reason.startswith("TLS: Hostname mismatch")) == (False, True)
    passed, reason = look(secret, Check(tls=CheckTls(name="www.example.org")))
    assert (passed, reason.startswith("TLS: ")) == (False, True)
    assert look(secret, Check(http="GET /healthz")) == (False, "HTTP 400")


def test_smtp(tmp_path: Path) -> None:
    """Python's own server, which Python 3.12 no longer has."""
    python = debian_python("smtpd", "nothing to install: Debian's Python is 3.12 or newer, and has no SMTP server")
    port = free_port()
    command = [python, "-W", "ignore", "-m", "smtpd", "-n", "-c", "DebuggingServer", f"127.0.0.1:{port}"]
    with running(command, port, log=tmp_path / "log"):
        assert look(port, Check(smtp="hello", host="lb.example.org")) == (True, "250 to hello")
        assert look(port, Check(tcp="connect", steps=(CheckStep(expect="220"),))) == (True, "1 step done")


def debian_python(module: str, otherwise: str) -> str:
    """Debian's Python where it has this module; else the test is left out."""
    python = "/usr/bin/python3"
    command = [python, "-W", "ignore", "-c", f"import {module}"]
    if not Path(python).exists() or subprocess.run(command, capture_output=True, timeout=30).returncode:
        leave_out(otherwise)
    return python


def test_grpc(tmp_path: Path) -> None:
    python = debian_python("grpc", "no grpc for Debian's Python on this machine: apt install python3-grpcio")
    port = free_port()
    with running([python, "tests/peers/grpc_health.py", str(port)], port, log=tmp_path / "log"):
        assert look(port, Check(grpc="health")) == (True, "SERVING")
        assert look(port, Check(grpc="health", service="shop")) == (False, "NOT_SERVING")
        assert look(port, Check(grpc="health", service="none")) == (
            False,
            "the call failed: no gRPC health service, or it does not know the service",
        )


def test_a_script(tmp_path: Path) -> None:
    from hapair.processes import Programs

    async def run(check: Check) -> ProbeResult:
        return await probe(check, Endpoint("127.0.0.1", 80), run_program=Programs().run, names=("web", "web1"))

    words = 'echo "$HAPAIR_SERVER of $HAPAIR_POOL at $HAPAIR_ADDRESS:$HAPAIR_PORT"; exit '
    well = trio.run(run, Check(script=("/bin/sh", "-c", words + "0")))
    sick = trio.run(run, Check(script=("/bin/sh", "-c", words + "3")))
    slow = trio.run(run, Check(script=("/bin/sleep", "30"), timeout_s=0.1))

    assert (well.ok, well.reason) == (True, "exited with status 0: web1 of web at 127.0.0.1:80")
    assert (sick.ok, sick.reason) == (False, "exited with status 3: web1 of web at 127.0.0.1:80")
    assert (slow.ok, slow.reason) == (False, "took longer than 0.1 s")
    assert slow.duration_s < 3
