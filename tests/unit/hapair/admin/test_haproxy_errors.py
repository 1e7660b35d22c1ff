"""`show errors`, in HAProxy's words."""

import re
from dataclasses import replace

import pytest

from balancer.evidence import Evidence
from hapair.admin.haproxy_cli import HaproxyCli
from hapair.admin.haproxy_errors import ErrorCommands, dumped
from hapair.admin.rates import Rates
from hapair.admin.surfaces import Surfaces
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE

REQUEST = Evidence(
    kind="request", frontend="web", client="192.0.2.7", port=4711, at=1.0, number=3, reason="malformed header name",
    position=17, size=23, data=b"GET / HTTP/1.1\r\nx y: z\r\n",
)  # fmt: skip
RESPONSE = replace(REQUEST, kind="response", pool="web", server="web2", number=0, data=b"junk\x00", size=9)
WHEN = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\]"


class Errors:
    def __init__(self, *errors: Evidence) -> None:
        self._errors = list(errors)

    async def errors(self) -> tuple[int, list[Evidence]]:
        return 7, self._errors


async def said(command: str, *errors: Evidence, level: str = "operator") -> str:
    surfaces = Surfaces(lambda: NODE, Rates(), lambda: 0.0, started_at=0.0)
    commands = ErrorCommands(Errors(*errors), lambda: NODE).commands()
    return await HaproxyCli(surfaces, Recorder(), {}, more=commands).answer(command, level)  # type: ignore[arg-type]


async def test_there_are_none() -> None:
    assert re.fullmatch(rf"Total events captured on {WHEN} : 7\n", await said("show errors"))


async def test_a_request_and_a_response() -> None:
    assert re.fullmatch(
        rf"Total events captured on {WHEN} : 7\n \n"
        rf"{WHEN} frontend web \(#1\): invalid request\n"
        r"  backend <NONE> \(#-1\), server <NONE> \(#-1\), event #3, src 192\.0\.2\.7:4711\n"
        r"  len 23, error at position 17\n  malformed header name :\n  \n"
        r"  00000  GET / HTTP/1\.1\\r\\n\n  00016  x y: z\\r\\n\n \n"
        rf"{WHEN} backend web \(#3\): invalid response\n"
        r"  frontend web \(#1\), server web2 \(#2\), event #0, src 192\.0\.2\.7:4711\n"
        r"  len 9, error at position 17\n  malformed header name :\n  \n"
        r"  00000  junk\\x00\n  \.\.\. 4 bytes more\n",
        await said("show errors", REQUEST, RESPONSE),
    )


@pytest.mark.parametrize(
    ("words", "requests", "responses"),
    [("request", 1, 0), ("response", 0, 1), ("web", 1, 1), ("1", 1, 0), ("3", 0, 1), ("3 request", 0, 0), ("-1", 1, 1)],
)
async def test_some_of_them(words: str, requests: int, responses: int) -> None:
    answer = await said(f"show errors {words}", REQUEST, RESPONSE)
    assert (answer.count("invalid request"), answer.count("invalid response")) == (requests, responses)


async def test_whom_it_is_for() -> None:
    assert await said("show errors nix", REQUEST) == "No such proxy.\n"
    assert await said("show errors", REQUEST, level="user") == "Permission denied\n"


def test_what_cannot_be_printed_is_escaped_and_long_lines_go_on() -> None:
    assert list(dumped(b"a\tb\\c\x1b\xff\r\n")) == ["  00000  a\\tb\\\\c\\e\\xFF\\r\\n"]
    assert list(dumped(b"")) == []
    assert list(dumped(b"x" * 72 + b"\r\ny")) == [f"  00000  {'x' * 70}", "  00070+ xx\\r\\n", "  00074  y"]
