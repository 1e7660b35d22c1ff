"""What monitoring asks of HAProxy is asked here as it asks it, and the answers are read as it reads them.

By the public sources of Telegraf (plugins/inputs/haproxy), of Zabbix (templates/app/haproxy_http) and of haproxyctl:
which requests they make, what they refuse, and which columns they need.
"""

import base64
import csv
import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio

from hapair.admin import passwords
from hapair.admin.haproxy_cli import HaproxyCli
from hapair.admin.logins import Logins
from hapair.admin.rates import Rates
from hapair.admin.router import Router
from hapair.admin.server import AdminServer
from hapair.admin.stats_page import StatsPage
from hapair.admin.surfaces import Surfaces
from hapair.command_sockets import CommandSockets
from hapair.config.admin import AdminUser
from hapair.config.runtime import CommandSocket
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE

UP_NODE = replace(NODE, uptime_s=93_784.0)
USERS = {"watch": AdminUser(password=str(passwords.make("a word", log2_n=10, r=1, p=1)), level="viewer")}


@dataclass
class Served:
    """An admin server on a port, a socket of level user, and one of level admin."""

    port: int
    folder: Path
    recorder: Recorder

    async def get(self, target: str) -> tuple[int, str]:
        words = base64.b64encode(b"watch:a word").decode()
        request = f"GET {target} HTTP/1.1\r\nHost: h:1\r\nAuthorization: Basic {words}\r\nConnection: close\r\n\r\n"
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as client:
            await client.send_all(request.encode())
            answer = b"".join([piece async for piece in client])
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    async def say(self, line: str, level: str = "user") -> str:
        """As a program that writes a line and reads until the other side closes."""
        async with await trio.open_unix_socket(self.folder / level) as stream:
            await stream.send_all(line.encode())
            return b"".join([piece async for piece in stream]).decode()


@pytest.fixture
async def served(nursery: trio.Nursery, tmp_path: Path) -> AsyncIterator[Served]:
    recorder = Recorder()
    surfaces = Surfaces(lambda: UP_NODE, Rates(), lambda: 100.0, started_at=1_700_000_000.0)
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = AdminServer(Router((*surfaces.routes(), *StatsPage(surfaces, recorder).routes())), Logins(USERS))
    nursery.start_soon(server.serve, [listener])
    sockets = CommandSockets(
        {str(tmp_path / "user"): CommandSocket(level="user"), str(tmp_path / "admin"): CommandSocket(level="admin")},
        HaproxyCli(surfaces, recorder, {}).answer,
    )
    nursery.start_soon(sockets.run)
    yield Served(listener.socket.getsockname()[1], tmp_path, recorder)
    sockets.close()


TELEGRAF_WORDS = {
    *("pxname", "svname", "status", "check_status", "last_chk", "mode", "tracked", "agent_status", "last_agt"),
    *("addr", "cookie"),
}


def as_telegraf_reads(text: str) -> list[dict[str, str | int]]:
    """Its measurements; fails where it would give up."""
    header, *rows = csv.reader(io.StringIO(text))
    assert len(header[0]) > 2
    assert header[0].startswith("# ")
    header[0] = header[0][2:]
    found = []
    for row in filter(None, rows):  # its reader passes over empty lines
        assert len(row) == len(header)
        fields: dict[str, str | int] = {}
        for name, value in zip(header, row, strict=True):
            if not value or name in ("check_desc", "agent_desc"):
                continue
            if name == "type":
                fields[name] = ("frontend", "backend", "server", "listener")[int(value)]
            elif name in TELEGRAF_WORDS:
                fields[name] = value
            elif re.fullmatch(r"-?[0-9]+" if name == "lastsess" else r"[0-9]+", value):
                fields[name] = int(value)
        found.append(fields)
    return found


@pytest.mark.parametrize("address", ["/haproxy?stats", "/stats", "/haproxy?stats;csv", "/;csv"])
async def test_telegraf_by_http(served: Served, address: str) -> None:
    """It puts `/;csv` behind whatever address it is given that does not end with `;csv`."""
    status, body = await served.get(address if address.endswith(";csv") else f"{address}/;csv")
    assert status == 200
    _check_measurements(as_telegraf_reads(body))


async def test_telegraf_by_a_socket_of_level_user(served: Served) -> None:
    _check_measurements(as_telegraf_reads(await served.say("show stat\n")))


def _check_measurements(found: list[dict[str, str | int]]) -> None:
    assert [(one["pxname"], one["svname"], one["type"]) for one in found] == [
        ("web", "FRONTEND", "frontend"),
        ("dns", "FRONTEND", "frontend"),
        ("web", "web1", "server"),
        ("web", "web2", "server"),
        ("web", "web3", "server"),
        ("web", "BACKEND", "backend"),
    ]
    for name in ("act", "bck", "bin", "bout", "scur", "stot", "econ", "eresp", "wretr", "wredis", "qcur", "lastchg"):
        assert isinstance(found[-1].get(name), int), name


def as_zabbix_reads(text: str) -> list[dict[str, str]]:
    """Everything behind the first `# ` up to the last line end, with a header, as objects."""
    match = re.search(r"# ([\s\S]*)\n", text)
    assert match is not None
    return list(csv.DictReader(io.StringIO(match[1])))


ZABBIX_ITEMS = {
    "FRONTEND": "status req_rate rate scur slim ereq dreq hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx bin bout",
    "BACKEND": "status econ dresp eresp qcur wredis wretr hrsp_1xx hrsp_5xx bin bout act bck stot weight",
    "server": "status econ dresp eresp qcur wredis wretr hrsp_1xx hrsp_5xx bin bout stot weight",
}


async def test_zabbix_by_http(served: Served) -> None:
    status, body = await served.get("/stats;csv")
    assert status == 200
    discovered = [one for one in as_zabbix_reads(body) if one["mode"] == "http"]
    assert [one["svname"] for one in discovered] == ["FRONTEND", "web1", "web2", "web3", "BACKEND"]
    for one in discovered:
        items = ZABBIX_ITEMS.get(one["svname"], ZABBIX_ITEMS["server"]).split()
        assert [name for name in items if one[name] == ""] == [], one["svname"]


async def test_zabbix_finds_version_and_uptime_in_the_page(served: Served) -> None:
    status, body = await served.get("/stats")
    assert status == 200
    version, uptime = re.search(r"HAProxy version ([^,]*),", body), re.search(r"(\d+)d (\d+)h(\d+)m(\d+)s", body)
    assert version is not None
    assert uptime is not None
    assert version[1] == "hapair 0.1.0"
    days, hours, minutes, seconds = map(int, uptime.groups())
    assert days * 86_400 + hours * 3600 + minutes * 60 + seconds == 93_784


async def test_haproxyctl_ends_its_lines_as_dos_does_and_reads_to_the_end(served: Served) -> None:
    info = dict(line.split(": ", 1) for line in (await served.say("show info\r\n")).splitlines() if line)
    assert info["Name"] == "hapair"
    assert info["Uptime_sec"] == "93784"
    health = [line.split(",") for line in (await served.say("show stat\r\n")).splitlines() if line]
    assert [(one[0], one[1], one[17]) for one in health[1:2]] == [("web", "FRONTEND", "OPEN")]
    assert await served.say("get weight web/web1\r\n") == "5 (initial 5)\n\n"
    assert await served.say("disable server web/web1\r\n") == "Permission denied\n\n"
    assert await served.say("disable server web/web1\r\n", "admin") == "\n"
    assert await served.say("enable server web/web1\r\n", "admin") == "\n"
    assert await served.say("set weight web/web1 3\r\n", "admin") == "\n"
    assert [told[:4] for told in served.recorder.told] == [
        ("administer", "web", "web1", "maint"),
        ("administer", "web", "web1", "ready"),
        ("weigh", "web", "web1", 3),
    ]
