"""What an admin does to the pair on the stats page."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from hapair.admin.page_pair import PairActions
from hapair.admin.router import Request, Response

LINES = ({"news": "pi-b is asked"}, {"ok": True, "words": "pi-b is Active", "flows": 3})


class House:
    """What can be done, what was asked for, and how often the page was refreshed."""

    def __init__(self, *names: str, lines: tuple[Mapping[str, Any], ...] = LINES) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.lines = lines
        self.refreshed = 0
        self.actions = PairActions({name: self._story(name) for name in names}, refresh=self._refresh)

    def _story(self, name: str) -> Any:
        async def story(request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
            self.asked.append((name, request))
            for line in self.lines:
                yield line

        return story

    def _refresh(self) -> None:
        self.refreshed += 1

    async def post(self, name: str, body: bytes = b"{}") -> tuple[int, dict[str, Any]]:
        request = Request(method="POST", target=f"/page/{name}", body=body, caller="anna", is_admin=True)
        answer: Response = await self.actions.act(name, request)
        assert isinstance(answer.body, bytes)
        return answer.status, json.loads(answer.body)


def test_admins_alone_may_do_it_and_by_post() -> None:
    assert {route.path: (route.level, route.methods) for route in House().actions.routes()} == {
        "/page/handover": ("admin", ("POST",)),
        "/page/takeover": ("admin", ("POST",)),
        "/page/maintenance": ("admin", ("POST",)),
    }


@pytest.mark.parametrize(
    ("name", "body", "asked"),
    [
        ("handover", b"{}", {}),
        ("handover", b"", {}),
        ("takeover", b"{}", {}),
        ("maintenance", b'{"on": true}', {"on": True}),
        ("maintenance", b'{"on": true, "force": true}', {"on": True, "force": True}),
        ("maintenance", b'{"on": false}', {"on": False}),
    ],
)
async def test_what_is_asked_for_is_done_and_what_came_of_it_is_said(
    name: str, body: bytes, asked: dict[str, bool]
) -> None:
    house = House("handover", "takeover", "maintenance")
    assert await house.post(name, body) == (200, {"ok": True, "words": "pi-b is Active", "news": ["pi-b is asked"]})
    assert (house.asked, house.refreshed) == ([(name, asked)], 1)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("handover", b'{"to": "pi-c"}'),
        ("takeover", b'{"on": true}'),
        ("maintenance", b"{}"),
        ("maintenance", b'{"force": true}'),
        ("maintenance", b'{"on": 1}'),
        ("maintenance", b'{"on": true, "force": "yes"}'),
        ("maintenance", b'{"on": true, "command": "up"}'),
        ("handover", b"[]"),
        ("handover", b"\xff"),
        ("handover", b"[" * 100_000),
    ],
)
async def test_what_makes_no_sense_changes_nothing(name: str, body: bytes) -> None:
    house = House("handover", "takeover", "maintenance")
    status, answer = await house.post(name, body)
    assert (status, answer["ok"], house.asked, house.refreshed) == (400, False, [], 0)
    assert answer["words"]


async def test_what_this_node_cannot_do() -> None:
    house = House("maintenance")
    assert house.actions.names == ["maintenance"]
    assert (await house.post("takeover"))[0] == 400


async def test_what_breaks_off_went_not_well() -> None:
    house = House("handover", lines=({"news": "pi-b is asked"},))
    assert await house.post("handover") == (
        200, {"ok": False, "words": "nothing is known of what came of it", "news": ["pi-b is asked"]},
    )  # fmt: skip
