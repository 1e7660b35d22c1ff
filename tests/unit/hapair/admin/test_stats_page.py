"""HAProxy's statistics by HTTP."""

import json

import pytest

from hapair.admin.rates import Rates
from hapair.admin.router import Request, Response, text
from hapair.admin.stats_page import StatsPage
from hapair.admin.surfaces import Surfaces
from tests.unit.hapair.admin.recorder import Recorder
from tests.unit.hapair.admin.sample import NODE

SURFACES = Surfaces(lambda: NODE, Rates(), lambda: 100.0, started_at=1_700_000_000.0)


async def get(target: str, page: StatsPage | None = None) -> Response:
    return await (page or StatsPage(SURFACES, Recorder())).answer(Request(method="GET", target=target))


def names(answer: Response) -> list[str]:
    assert isinstance(answer.body, bytes)
    return [",".join(line.split(",")[:2]) for line in answer.body.decode().splitlines()[1:]]


@pytest.mark.parametrize(
    "target", ["/stats;csv", "/haproxy?stats;csv", "/haproxy?stats/;csv", "/;csv", "/haproxy?stats;csv;norefresh"]
)
async def test_csv_where_its_consumers_look_for_it(target: str) -> None:
    answer = await get(target)
    assert answer.content_type == "text/plain"
    assert names(answer) == ["web,FRONTEND", "dns,FRONTEND", "web,web1", "web,web2", "web,web3", "web,BACKEND"]


async def test_json() -> None:
    answer = await get("/haproxy?stats;json")
    assert (answer.content_type, len(json.loads(answer.body))) == ("application/json", 6)


async def test_less_of_it() -> None:
    assert names(await get("/haproxy?stats;csv;up")) == [
        "web,FRONTEND",
        "dns,FRONTEND",
        "web,web1",
        "web,web3",
        "web,BACKEND",
    ]
    assert names(await get("/haproxy?stats;csv;scope=dn")) == ["dns,FRONTEND"]


async def test_who_asks_for_neither_gets_the_page() -> None:
    assert b"/haproxy?stats;csv" in (await get("/haproxy?stats")).body  # type: ignore[operator]

    async def page(request: Request) -> Response:
        return text(200, "a page")

    assert (await get("/", StatsPage(SURFACES, Recorder(), page))).body == b"a page"


def test_it_stands_at_both_places() -> None:
    routes = StatsPage(SURFACES, Recorder()).routes()
    assert [(route.path, route.level, route.methods) for route in routes] == [
        ("/haproxy", "viewer", ("GET", "HEAD", "POST")),
        ("/stats", "viewer", ("GET", "HEAD", "POST")),
        ("/stats/", "viewer", ("GET", "HEAD", "POST")),
        ("/", "viewer", ("GET", "HEAD", "POST")),
    ]


async def post(body: bytes, *, admin: bool = True, target: str = "/haproxy?stats") -> tuple[Recorder, str]:
    operator = Recorder()
    request = Request(method="POST", target=target, body=body, is_admin=admin, caller="anna")
    answer = await StatsPage(SURFACES, operator).answer(request)
    assert answer.status == 303
    return operator, answer.headers["Location"]


async def test_an_action_on_several_servers() -> None:
    operator, location = await post(b"s=web1&s=web2&action=drain&b=web")
    assert location == "/haproxy?stats;st=DONE"
    assert operator.told == [
        ("administer", "web", "web1", "drain", "anna (statistics page)"),
        ("administer", "web", "web2", "drain", "anna (statistics page)"),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"s=web1&action=maint&b=%233", "DONE"),
        (b"s=web1&s=nope&action=maint&b=web", "PART"),
        (b"s=web1&action=maint&b=%2399", "ERRP"),
        (b"s=web1&action=foo&b=web", "ERRP"),
        (b"action=maint&b=web", "NONE"),
        (b"", "NONE"),
        (b"\xff", "ERRP"),
        (b"&".join([b"s=web1"] * 2000), "ERRP"),
    ],
)
async def test_what_came_of_it(body: bytes, status: str) -> None:
    _, location = await post(body, target="/;csv")
    assert location == f"/;st={status}"


async def test_a_viewer_changes_nothing() -> None:
    operator, location = await post(b"s=web1&action=drain&b=web", admin=False)
    assert (location, operator.told) == ("/haproxy?stats;st=DENY", [])
