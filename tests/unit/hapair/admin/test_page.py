"""The stats page by HTTP: document, assets, history, and what can be done there."""

import array
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from hapair.admin.live import MOST_VIEWERS, Live
from hapair.admin.page import POLICY, Page, assets, document
from hapair.admin.rates import Rates
from hapair.admin.router import Request, Response
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE


class House:
    """A page, who does what it says, and how often it was refreshed."""

    def __init__(self) -> None:
        self.operator = Recorder()
        self.live = Live(Rates(), lambda: 0.0)
        self.live.tick(NODE, 10.0)
        self.live.tick(NODE, 11.0)
        self.refreshed = 0

        async def story(request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
            yield {"ok": True, "words": "done"}

        self.page = Page(self.live, self.operator, {"maintenance": story}, refresh=self._refresh)

    def _refresh(self) -> None:
        self.refreshed += 1

    async def change(self, content: Any) -> tuple[int, dict[str, Any]]:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        request = Request(method="POST", target="/page/server", body=body, caller="anna", is_admin=True)
        return said(await self.page.server(request))


def said(answer: Response) -> tuple[int, dict[str, Any]]:
    assert isinstance(answer.body, bytes)
    return answer.status, json.loads(answer.body)


async def test_the_document_has_no_script_of_its_own_and_a_strict_policy() -> None:
    answer = await House().page.document(Request(method="GET", target="/"))
    assert answer.headers == {"Content-Security-Policy": POLICY}
    assert "script-src 'self'" in POLICY
    assert "unsafe" not in POLICY
    assert "require-trusted-types-for 'script'" in POLICY
    page = document().decode()
    assert re.findall(r"<script(?![^>]* src=)", page) == []
    assert re.findall(r"""<style|\son[a-z]+=|\sstyle=|javascript:|https?://|//[a-z]""", page) == []
    assert "{{" not in page


def test_nothing_outside_is_asked_for_and_nothing_writes_markup() -> None:
    for name, content in assets()[1].items():
        text = content.decode().replace("http://www.w3.org/", "")
        assert "http:" not in text, name
        assert "https:" not in text, name
        for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "url("):
            assert word not in text, (name, word)


async def test_assets_are_kept_for_ever_under_their_version() -> None:
    version, found = assets()
    assert {"main.js", "style.css", "icon.svg", "chart.js"} <= set(found)
    routes = {route.path: route for route in House().page.routes()}
    answer = await routes[f"/page/{version}/style.css"].handler(Request(method="GET", target="/"))
    assert (answer.body, answer.content_type) == (found["style.css"], "text/css; charset=utf-8")
    assert answer.headers == {"Cache-Control": "private, max-age=31536000, immutable"}
    assert f'src="/page/{version}/main.js"'.encode() in document()
    assert f'href="/page/{version}/chart.js"'.encode() in document()


def test_all_but_who_changes_something_need_a_viewer() -> None:
    levels = {route.path: (route.level, route.methods) for route in House().page.routes()}
    assert levels["/page/events"] == ("viewer", ("GET", "HEAD"))
    assert levels["/page/history"] == ("viewer", ("GET", "HEAD"))
    assert levels["/page/server"] == ("admin", ("POST",))
    assert levels["/page/handover"] == ("admin", ("POST",))


async def test_events_begin_with_who_looks() -> None:
    request = Request(method="GET", target="/page/events", caller="vera", is_admin=False)
    answer = await House().page.events(request)
    assert answer.content_type == "text/event-stream"
    assert isinstance(answer.body, AsyncGenerator)
    async with aclosing(answer.body) as events:
        hello = json.loads((await anext(events)).split(b"\n")[1].removeprefix(b"data: "))
    assert hello == {
        "version": assets()[0], "user": "vera", "admin": False, "pair": ["maintenance"],
        "fields": ["requests_per_s", "connections_per_s", "open", "bytes_in_per_s", "bytes_out_per_s", "errors_per_s",
                   "client_errors_per_s", "p50_ms", "p99_ms"],
    }  # fmt: skip


async def test_too_many_are_told_so() -> None:
    house = House()
    viewers = [house.live.watch({}) for _ in range(MOST_VIEWERS)]
    for viewer in viewers:
        await anext(viewer)
    answer = await house.page.events(Request(method="GET", target="/page/events"))
    assert (answer.status, answer.headers) == (503, {"Retry-After": "10"})
    for viewer in viewers:
        await viewer.aclose()


@pytest.mark.parametrize("target", ["/page/history", "/page/history?frontend=", "/page/history?frontend=web"])
async def test_an_hour_of_history_is_numbers_of_four_bytes(target: str) -> None:
    answer = await House().page.history(Request(method="GET", target=target))
    assert (answer.headers, answer.content_type) == ({"History-End": "11"}, "application/octet-stream")
    assert isinstance(answer.body, bytes)
    assert list(array.array("f", answer.body)[:2]) == [0.0, 0.0]
    assert len(answer.body) == 4 * 9


async def test_of_a_frontend_that_there_is_not_there_is_no_history() -> None:
    assert (await House().page.history(Request(method="GET", target="/page/history?frontend=x"))).status == 404


@pytest.mark.parametrize(
    ("content", "told", "words"),
    [
        ({"action": "drain"}, ("administer", "web", "web1", "drain", "anna (stats page)"), "web/web1 is DRAIN"),
        ({"action": "maint"}, ("administer", "web", "web1", "maint", "anna (stats page)"), "web/web1 is MAINT"),
        ({"action": "ready"}, ("administer", "web", "web1", "ready", "anna (stats page)"), "web/web1 is READY"),
        ({"weight": 7}, ("weigh", "web", "web1", 7), "web/web1 has weight 7"),
        ({"weight": None}, ("weigh", "web", "web1", None), "web/web1 has the weight of the file"),
    ],
)
async def test_what_becomes_of_a_server(content: dict[str, Any], told: tuple[Any, ...], words: str) -> None:
    house = House()
    answer = await house.change({"pool": "web", "server": "web1"} | content)
    assert answer == (200, {"ok": True, "words": words, "news": []})
    assert (house.operator.told, house.refreshed) == ([told], 1)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"[1]", b"5", b"null", b'"pool"', b"[" * 100_000,
        {"pool": "web", "server": "web1"},
        {"pool": "web", "server": "web9", "action": "drain"},
        {"pool": ["web"], "server": "web1", "action": "drain"},
        {"pool": "web", "server": "web1", "action": "hdown"},
        {"pool": "web", "server": "web1", "action": ["drain"]},
        {"pool": "web", "server": "web1", "weight": 257},
        {"pool": "web", "server": "web1", "weight": True},
        {"pool": "web", "server": "web1", "weight": "5"},
        {"pool": "web", "server": "web1", "weight": 1.5},
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_said(content: Any) -> None:
    house = House()
    status, answer = await house.change(content)
    assert (status, answer["ok"], house.operator.told, house.refreshed) == (400, False, [], 0)
    assert answer["words"]
