"""The system's resolver; what it may do is played, but for what every machine knows."""

import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from balancer import resolver
from balancer.config_discovery import Family, Resolve
from balancer.fieldtypes import Endpoint
from balancer.resolution import Answer, Failure, Question
from balancer.standing import Place

APP = Endpoint("app.internal", 80)


def knows(monkeypatch: pytest.MonkeyPatch, *hosts: str, error: int | None = None) -> None:
    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if error is not None:
            raise socket.gaierror(error, "the resolver's words")
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in hosts]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("family", "found"),
    [
        ("ipv4_first", ["192.0.2.1", "192.0.2.2"]),
        ("ipv6_first", ["2001:db8::1"]),
        ("ipv4", ["192.0.2.1", "192.0.2.2"]),
        ("ipv6", ["2001:db8::1"]),
        ("both", ["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
    ],
)
async def test_all_addresses_of_a_family(monkeypatch: pytest.MonkeyPatch, family: Family, found: list[str]) -> None:
    knows(monkeypatch, "192.0.2.1", "2001:db8::1", "192.0.2.2")
    answer = await resolver.system(Question(APP, Resolve(family=family)))
    assert answer == Answer(tuple(Place(Endpoint(host, 80)) for host in found))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.EAI_NONAME, "NXDOMAIN: nobody knows app.internal"),
        (socket.EAI_NODATA, "no address: app.internal has none"),
        (socket.EAI_AGAIN, "resolver: the resolver's words (app.internal)"),
    ],
)
async def test_failures(monkeypatch: pytest.MonkeyPatch, error: int, reason: str) -> None:
    knows(monkeypatch, error=error)
    assert await resolver.system(Question(APP, Resolve())) == Failure(reason)


async def test_a_family_that_a_name_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    knows(monkeypatch, "192.0.2.1")
    assert await resolver.system(Question(APP, Resolve(family="ipv6"))) == Failure(
        "no address: app.internal has none of family ipv6"
    )


async def test_without_the_library_the_system_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dns", None)
    knows(monkeypatch, "192.0.2.1")
    assert await resolver.look_up(Question(APP, Resolve())) == Answer((Place(Endpoint("192.0.2.1", 80)),))
    for question in (Question(Endpoint("_a._tcp.b", 0), Resolve()), Question(APP, Resolve(nameservers=(APP,)))):
        assert await resolver.look_up(question) == Failure(
            "no resolver: this needs the package dnspython, pip install 'hapair[dns]'"
        )


@pytest.mark.parametrize("nameservers", [(), (Endpoint("192.0.2.53", 53),)])
async def test_what_nameservers_do_not_know_is_asked_of_the_system_unless_they_are_the_files_own(
    monkeypatch: pytest.MonkeyPatch, nameservers: tuple[Endpoint, ...]
) -> None:
    async def ask(question: Question) -> Failure:
        return Failure("NXDOMAIN: nobody knows it")

    monkeypatch.setattr("balancer.nameserver.ask", ask)
    knows(monkeypatch, "192.0.2.1")
    answer = await resolver.look_up(Question(APP, Resolve(nameservers=nameservers)))
    by_system = Answer((Place(Endpoint("192.0.2.1", 80)),))
    assert answer == (Failure("NXDOMAIN: nobody knows it") if nameservers else by_system)


async def test_a_resolver_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: Callable[[], None]
) -> None:
    import trio

    async def ask(question: Question) -> Failure:
        await trio.sleep(100)
        return Failure("too late")

    monkeypatch.setattr("balancer.nameserver.ask", ask)
    assert await resolver.look_up(Question(APP, Resolve(timeout_s=2.0))) == Failure(
        "timeout: no answer for app.internal within 2s"
    )
