"""`set server ... check-addr` and its kind. The answers are what HAProxy 2.6.12 says."""

from dataclasses import replace
from pathlib import Path

import pytest

from balancer.checks.runner import where_asked, where_checked
from balancer.config import Check, Pool, Server
from balancer.config_checks import AgentCheck
from balancer.fieldtypes import Endpoint
from hapair.admin.haproxy_cli import HaproxyCli
from hapair.admin.rates import Rates
from hapair.admin.surfaces import Surfaces
from tests.unit.hapair.admin.sample import NODE, WEB1, WEB3
from tests.unit.hapair.membership_stage import MembershipStage

W1 = Server(address=Endpoint("192.0.2.1", 80))
NAMED = Server(address=Endpoint("foo.invalid", 80))
POOLS = {
    "web": Pool(servers={"w1": W1, "w3": NAMED}, check=Check(port=81), agent=AgentCheck(port=99)),
    "api": Pool(servers={"w2": W1}),
}


class Stage(MembershipStage):
    def __init__(self, folder: Path) -> None:
        super().__init__(POOLS, folder)
        w1 = replace(WEB1, name="w1", address="192.0.2.1:80", agent_up=True)
        w3 = replace(w1, name="w3", address="foo.invalid:80", known_as="foo.invalid:80")
        w2 = replace(WEB3, name="w2", address="192.0.2.1:80", agent_up=None)
        (web,) = NODE.pools
        node = replace(NODE, pools=(replace(web, servers=(w1, w3)), replace(web, name="api", servers=(w2,))))
        surfaces = Surfaces(lambda: node, Rates(), lambda: 100.0, started_at=1_700_000_000.0)
        self.cli = HaproxyCli(surfaces, self.changes.everywhere, {})

    async def say(self, *commands: str) -> list[str]:
        return [await self.cli.answer(f"set server {one}") for one in commands]

    def places(self, name: str = "w1") -> tuple[str, str]:
        """Where it is checked, and where its agent is asked."""
        pool = self.changes.pools["web"]
        server, check = pool.servers[name], pool.check_of(name)
        assert check is not None
        checked = where_checked(server, server.address)
        checked = replace(checked, port=check.port or checked.port)
        return str(checked), str(where_asked(server, pool.agent_of(name), server.address))


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("web/w1 check-addr", "set server <b>/<s> check-addr requires an address and optionally a port.\n"),
        ("web/w1 check-addr foo", "invalid addr 'foo'\n"),
        ("web/w1 check-addr 127.0.0.7 port 99999", "provided port is invalid\n"),
        ("web/w1 check-addr 127.0.0.8 port", "provided port is not an integer\n"),
        ("web/w1 check-port", "set server <b>/<s> check-port requires a port.\n"),
        ("web/w1 check-port x", "provided port is not an integer\n"),
        ("web/w1 check-port 99999", "provided port is invalid\n"),
        ("api/w2 check-port 82", "health checks are not enabled on this server\n"),
        ("api/w2 check-addr 127.0.0.7", "health checks are not enabled on this server\n"),
        ("web/w1 agent-addr", "set server <b>/<s> agent-addr requires an address and optionally a port.\n"),
        ("web/w1 agent-addr foo", "invalid addr 'foo'\n"),
        ("api/w2 agent-addr 127.0.0.5", "agent checks are not enabled on this server\n"),
        ("web/w1 agent-port", "set server <b>/<s> agent-port requires a port.\n"),
        ("web/w1 agent-port 99999", "provided port is invalid\n"),
        ("api/w2 agent-port 97", "agent checks are not enabled on this server\n"),
        ("api/w2 agent-send hello", "agent checks are not enabled on this server\n"),
        ("web/w1 fqdn", "set server <b>/<s> fqdn requires a FQDN.\n"),
        ("web/w1 fqdn bar.invalid", "set server <b>/<s> fqdn failed because no resolution is configured.\n"),
        ("web/w3 fqdn foo.invalid", "no need to change the FDQN by 'stats socket command'\n"),
        ("web/w1 ssl on", "'set server <srv> ssl' cannot be set.  default-server should define ssl settings\n"),
        ("web/w1 xx",
         "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr | "
         "check-port | fqdn | health | ssl | state | weight\n"),
    ],
)  # fmt: skip
async def test_what_is_refused(stage: Stage, command: str, answer: str) -> None:
    assert await stage.say(command) == [answer]
    assert stage.changes.entries == ()


async def test_checks_go_elsewhere(stage: Stage) -> None:
    assert stage.places()[0] == "192.0.2.1:81"
    assert await stage.say("web/w1 check-addr 192.0.2.7") == [""]
    assert stage.places()[0] == "192.0.2.7:81"
    assert await stage.say("web/w1 check-port 82") == [""]
    assert stage.places()[0] == "192.0.2.7:82"
    assert await stage.say("web/w1 check-addr 2001:db8::7", "web/w1 check-addr 2001:db8::7 port 83") == ["", ""]
    assert stage.places() == ("[2001:db8::7]:83", "192.0.2.1:99")
    assert stage.places("w3")[0] == "foo.invalid:81"


async def test_an_agent_is_asked_elsewhere_and_sent_something_else(stage: Stage) -> None:
    assert await stage.say("web/w1 agent-port 97", "web/w1 agent-send hello") == ["", ""]
    assert stage.places() == ("192.0.2.1:81", "192.0.2.1:97")
    agent = stage.changes.pools["web"].agent_of("w1")
    assert agent is not None
    assert agent.send == "hello"
    assert await stage.say("web/w1 agent-addr 192.0.2.7", "web/w1 agent-addr 192.0.2.7 port 98") == ["", ""]
    assert stage.places() == ("192.0.2.1:81", "192.0.2.7:98")


async def test_a_server_gets_another_name(stage: Stage) -> None:
    assert await stage.say("web/w3 fqdn Bar.invalid.") == [
        "web/w3 changed its FQDN from foo.invalid to bar.invalid by 'stats socket command'\n"
    ]
    assert stage.changes.pools["web"].servers["w3"].address == Endpoint("bar.invalid", 80)
    assert await stage.say("web/w3 fqdn 192.0.2.7") == ["'192.0.2.7' is no value of name\n"]


async def test_it_holds_over_a_restart(stage: Stage, tmp_path: Path) -> None:
    await stage.say("web/w1 check-port 82", "web/w3 fqdn bar.invalid")
    await stage.changes.save()
    again = Stage(tmp_path)
    assert again.places()[0] == "192.0.2.1:82"
    assert again.changes.pools["web"].servers["w3"].address == Endpoint("bar.invalid", 80)
