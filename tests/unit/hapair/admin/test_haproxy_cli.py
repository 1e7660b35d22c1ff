"""HAProxy's runtime commands: what they say, and what they do."""

from typing import Any

import pytest

from hapair.admin.haproxy_cli import HaproxyCli, split_commands, split_words
from hapair.admin.rates import Rates
from hapair.admin.surfaces import Surfaces
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE


def cli(operator: Recorder | None = None, rates: Rates | None = None) -> HaproxyCli:
    surfaces = Surfaces(lambda: NODE, rates or Rates(), lambda: 100.0, started_at=1_700_000_000.0)
    return HaproxyCli(surfaces, operator or Recorder(), {"LANG": "C", "HOME": "/root"})


# What HAProxy 2.6.12 answered, for a backend web with servers web1 and web2.
@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("get weight web/web1", "5 (initial 5)\n"),
        ("get weight web", "Require 'backend/server'.\n"),
        ("get weight", "Require 'backend/server'.\n"),
        ("get weight web/nope", "No such server.\n"),
        ("get weight nope/x", "No such backend.\n"),
        ("set weight web/web1", "Require <weight> or <weight%>.\n"),
        ("set weight web/web1 300", "Absolute weight can only be between 0 and 256 inclusive.\n"),
        ("set weight web/web1 -1", "Absolute weight can only be between 0 and 256 inclusive.\n"),
        ("set server web/web1 weight foo", "Empty weight string empty or preceded by garbage\n"),
        ("set server web/web1 state foo", "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n"),
        ("set server web/web1 state", "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n"),
        ("set server web", "Require 'backend/server'.\n"),
        ("set server web/web1 agent up", "agent checks are not enabled on this server.\n"),
        ("set maxconn server web/web1", "Require <maxconn>.\n"),
        ("set maxconn server web/web1 foo", "maxconn string empty or preceded by garbage\n"),
        ("disable server", "Require 'backend/server'.\n"),
        ("enable health nope/x", "No such backend.\n"),
        ("show servers state nope", "Can't find backend.\n"),
        ("show backend", "# name\nweb\n"),
        ("show version", "0.1.0\n"),
        ("show env LANG", "LANG=C\n"),
        ("show env NOPE", "Variable not found\n"),
    ],
)
def test_answers_are_haproxys(command: str, answer: str) -> None:
    operator = Recorder()
    assert cli(operator).run(command) == answer
    assert operator.told == []


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("set server web/web1 state drain", ("administer", "web", "web1", "drain", "the runtime socket")),
        ("disable server web/web2", ("administer", "web", "web2", "maint", "the runtime socket")),
        ("enable server web/web2", ("administer", "web", "web2", "ready", "the runtime socket")),
        ("set weight web/web1 7", ("weigh", "web", "web1", 7)),
        ("set weight web/web1 50%", ("weigh", "web", "web1", 2)),
        ("set server web/web1 weight 0", ("weigh", "web", "web1", 0)),
        ("set server web/web1 health down", ("health", "web", "web1", "down")),
        ("set server web/web1 health stopping", ("health", "web", "web1", "stopping")),
        ("set maxconn server web/web1 9", ("limit", "web", "web1", 9)),
        ("set maxconn server web/web1 0", ("limit", "web", "web1", None)),
        ("disable health web/web1", ("watch", "web", "web1", False, None)),
        ("enable agent web/web1", ("watch", "web", "web1", None, True)),
        ("  set   server\tweb/web1  state maint ", ("administer", "web", "web1", "maint", "the runtime socket")),
    ],
)
def test_commands_that_do_something_say_nothing(command: str, told: tuple[Any, ...]) -> None:
    operator = Recorder()
    assert cli(operator).run(command) == ""
    assert operator.told == [told]


def test_show_stat_and_parts_of_it() -> None:
    def shown(command: str) -> list[str]:
        return [",".join(line.split(",")[:2]) for line in cli().run(command).splitlines()[1:]]

    assert shown("show stat") == ["web,FRONTEND", "dns,FRONTEND", "web,web1", "web,web2", "web,web3", "web,BACKEND"]
    assert shown("show stat -1 4 -1") == ["web,web1", "web,web2", "web,web3"]
    assert shown("show stat web 3 -1") == ["web,FRONTEND", "web,BACKEND"]
    assert shown("show stat 3 -1 2") == ["web,web2"]
    assert shown("show stat -1 4 -1 up") == ["web,web1", "web,web3"]
    assert shown("show stat domain proxy 3 2 -1") == ["web,BACKEND"]
    assert cli().run("show stat 3 4 1 typed").startswith("S.3.1.0.pxname.1:KNS:str:web\n")
    assert cli().run("show stat 3 4 1 json").startswith('[[{"objType":"Server"')
    assert cli().run("show stat 3 4 9 json") == "[]\n"


def test_show_info_and_servers() -> None:
    assert cli().run("show info").startswith("Name: hapair\n")
    assert cli().run("show info typed").startswith("0.Name.1:POS:str:hapair\n")
    assert cli().run("show info json").startswith('[{"field":{"pos":0,"name":"Name"}')
    assert cli().run("show servers state web").startswith("1\n# be_id ")
    assert cli().run("show servers conn").startswith("# bkname/svname ")


def test_help_and_what_is_not_understood() -> None:
    assert "  show stat [<px> <type> <sid>] [typed|json]: report" in cli().run("help")
    assert cli().run("help set").count("  set ") == 3
    assert cli().run("reboot").startswith("Unknown command. Please enter one of the following commands only:\n")
    near = cli().run("show nonsense")
    assert near.startswith("Unknown command, but maybe one of the following ones is a better match:\n  show backend")
    assert "set weight" not in near


def test_lines_and_words() -> None:
    assert split_commands(r"show info; show stat ;set x a\;b") == ["show info", "show stat", r"set x a\;b"]
    assert split_words(r" set  x a\;b c\ d ") == ["set", "x", "a;b", "c d"]
    assert split_words("") == []
