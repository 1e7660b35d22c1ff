"""`add server` and `del server`. Answers are HAProxy 2.6.12's, but where we have per pool what it has per server."""

from dataclasses import replace
from pathlib import Path

import pytest

from balancer.config import Check, Pool, Server
from balancer.config_checks import AgentCheck
from balancer.config_tls import PoolTls
from balancer.fieldtypes import Endpoint
from hapair.admin.haproxy_cli import HaproxyCli
from hapair.admin.haproxy_servers import ServerCommands
from hapair.admin.rates import Rates
from hapair.admin.surfaces import Surfaces
from tests.unit.hapair.membership_stage import MembershipStage

WEB1 = Server(address=Endpoint("192.0.2.1", 80), weight=5)
POOL = Pool(servers={"web1": WEB1}, check=Check(interval_s=0.5))


class Stage(MembershipStage):
    """With HAProxy's commands."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        super().__init__({"web": pool}, folder)
        surfaces = Surfaces(self.look, Rates(), lambda: 100.0, started_at=1_700_000_000.0)
        commands = ServerCommands(self.members, lambda: self.config).commands()
        self.cli = HaproxyCli(surfaces, self.changes.everywhere, {}, more=commands)

    async def say(self, command: str) -> str:
        return await self.cli.answer(command)

    def server(self, name: str) -> Server:
        return self.changes.pools["web"].servers[name]


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    return Stage(POOL, tmp_path)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("add server", "Require 'backend/server'.\n"),
        ("add server web", "Require 'backend/server'.\n"),
        ("add server web/", "Require 'backend/server'.\n"),
        ("add server nope/x 127.0.0.1:1", "No such backend.\n"),
        ("add server web/web1 127.0.0.1:1", "Already exists a server with the same name in backend.\n\n"),
        ("add server web/n1", "'server' expects <name> and <addr>[:<port>] as arguments.\n\n"),
        ("add server web/bad!name 127.0.0.1:80", "character '!' is not permitted in server name 'bad!name'.\n\n"),
        ("add server web/n5 127.0.0.1:18994 foo", "unknown keyword 'foo'\n\n"),
        ("add server web/n5 127.0.0.1:18994 cookie abc", "'cookie' option is not accepted for dynamic server\n\n"),
        ("add server web/n5 127.0.0.1:18994 weight 500", "weight of server n5 is not within 0 and 256 (500)..\n\n"),
        ("add server web/n5 127.0.0.1:99999", "invalid port '99999'\n\n"),
        ("add server web/n5 127.0.0.1:18994 check port 0", "invalid port '0'\n\n"),
        ("add server web/n5 127.0.0.1:18994 weight", "'weight' expects a value for server n5.\n\n"),
        ("add server web/n5 127.0.0.1:18994 maxconn x", "'maxconn' of server n5 expects a number, not 'x'.\n\n"),
        ("add server web/n5 127.0.0.1:18994 ssl", "'ssl' option is not accepted for dynamic server\n\n"),
        (
            "add server web/n5 127.0.0.1:18994 agent-check",
            "'agent-check' option is not accepted for dynamic server\n\n",
        ),
        ("add server web/n5 127.0.0.1:18994 check inter 2s", "'inter' option is not accepted for dynamic server\n\n"),
        ("add server web/n5 1.2.3:80", "'1.2.3' in '1.2.3:80' is not an IP address\n\n"),
        ("del server", "Require 'backend/server'.\n"),
        ("del server web", "Require 'backend/server'.\n"),
        ("del server nope/x", "No such backend.\n"),
        ("del server web/nope", "No such server.\n"),
        ("del server web/web1", "Only servers in maintenance mode can be deleted.\n"),
    ],
)
async def test_what_is_refused(stage: Stage, command: str, answer: str) -> None:
    assert await stage.say(command) == answer
    assert stage.changes.entries == ()


async def test_a_server_begins_in_maint_and_unchecked(stage: Stage) -> None:
    assert await stage.say("add server web/n1 192.0.2.9:81 weight 7 maxconn 5 maxqueue 3 backup") == (
        "New server registered.\n"
    )
    assert stage.server("n1") == Server(
        address=Endpoint("192.0.2.9", 81), weight=7, max_connections=5, max_queue=3, backup=True,
        disabled=True, check=False,
    )  # fmt: skip
    known = stage.checks.snapshot()["web"]["n1"]
    assert (known.admin, known.text) == ("maint", "no check")
    assert await stage.say("enable health web/n1") == (
        "Health check was not configured on this server, cannot enable.\n"
    )
    assert await stage.say("enable server web/n1") == ""
    assert stage.checks.snapshot()["web"]["n1"].admin == "ready"


async def test_checks_begin_with_enable_health(stage: Stage) -> None:
    words = "enabled check port 8080 addr 192.0.2.10 inter 500 rise 2 fall 3"
    assert await stage.say(f"add server web/n1 192.0.2.9:81 {words}") == "New server registered.\n"
    assert stage.server("n1").check_address == Endpoint("192.0.2.10", 8080)
    known = stage.checks.snapshot()["web"]["n1"]
    assert (known.admin, known.text, known.checks_on) == ("ready", "UP 1/3", False)
    assert await stage.say("enable health web/n1") == ""
    assert stage.checks.snapshot()["web"]["n1"].checks_on


async def test_without_a_check_of_its_pool_it_is_checked_by_a_connection(tmp_path: Path) -> None:
    stage = Stage(replace(POOL, check=None), tmp_path)
    assert await stage.say("add server web/n1 192.0.2.9:81 check") == "New server registered.\n"
    assert stage.checks.snapshot()["web"]["n1"].text == "UP 1/3"
    assert stage.checks.snapshot()["web"]["web1"].text == "no check"


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.9:81", "192.0.2.9:81"),
        ("192.0.2.9", "192.0.2.9:8080"),  # the port that its frontend listens on, as clients connect to it
        ("[2001:db8::9]:81", "[2001:db8::9]:81"),
        ("2001:db8::9:81", "[2001:db8::9]:81"),
        ("ipv4@192.0.2.9:81", "192.0.2.9:81"),
        ("unix@/run/web.sock", "unix:/run/web.sock"),
        ("/run/web.sock", "unix:/run/web.sock"),
        ("app.internal:81", "app.internal:81"),
    ],
)
async def test_where_it_is(stage: Stage, written: str, address: str) -> None:
    assert await stage.say(f"add server web/n1 {written}") == "New server registered.\n"
    assert str(stage.server("n1").address) == address


async def test_what_its_pool_has_may_be_said_again(tmp_path: Path) -> None:
    pool = replace(POOL, tls=PoolTls(), send_proxy="v2", agent=AgentCheck(port=99), slow_start_s=10.0)
    stage = Stage(pool, tmp_path)
    words = "ssl verify required send-proxy-v2 slowstart 10s agent-check"
    assert await stage.say(f"add server web/n1 192.0.2.9:81 {words}") == "New server registered.\n"
    assert stage.checks.snapshot()["web"]["n1"].agent_on
    assert await stage.say("add server web/n2 192.0.2.9:81") == "New server registered.\n"
    assert not stage.checks.snapshot()["web"]["n2"].agent_on
    for words, word in (("verify none", "verify"), ("no-ssl", "no-ssl"), ("send-proxy", "send-proxy")):
        assert await stage.say(f"add server web/n3 192.0.2.9:81 {words}") == (
            f"'{word}' option is not accepted for dynamic server\n\n"
        )


async def test_a_server_is_deleted_when_nobody_speaks_with_it(stage: Stage) -> None:
    await stage.say("add server web/n1 192.0.2.9:81 enabled")
    assert await stage.say("del server web/n1") == "Only servers in maintenance mode can be deleted.\n"
    await stage.say("disable server web/n1")
    stage.open["n1"] = 1
    assert await stage.say("del server web/n1") == ("Server still has connections attached to it, cannot remove it.\n")
    stage.open.clear()
    stage.waiting["n1"] = 1
    assert await stage.say("del server web/n1") == ("Server still has connections attached to it, cannot remove it.\n")
    stage.waiting.clear()
    assert await stage.say("del server web/n1") == "Server deleted.\n"
    assert stage.servers() == ["web1"]


async def test_one_of_the_file_too(stage: Stage) -> None:
    await stage.say("disable server web/web1")
    assert await stage.say("del server web/web1") == "Server deleted.\n"
    assert stage.servers() == []
    assert await stage.say("add server web/web1 192.0.2.9:81") == "New server registered.\n"
    assert stage.servers() == ["web1"]


async def test_who_only_looks_changes_nothing(stage: Stage) -> None:
    for command in ("add server web/n1 192.0.2.9:81", "del server web/web1"):
        assert await stage.cli.answer(command, "operator") == "Permission denied\n"
    assert stage.changes.entries == ()
