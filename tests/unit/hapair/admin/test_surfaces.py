"""What the admin server serves."""

from dataclasses import replace

from hapair.admin.rates import Rates
from hapair.admin.router import Request, Response, Route, Router
from hapair.admin.surfaces import Surfaces
from hapair.snapshot import NodeSnapshot
from tests.unit.hapair.admin.sample import NODE


async def get(target: str, node: NodeSnapshot = NODE) -> tuple[Route, Response]:
    surfaces = Surfaces(lambda: node, Rates(), lambda: 100.0, started_at=1_700_000_000.0)
    request = Request(method="GET", target=target)
    route = Router(surfaces.routes()).find(request)
    assert isinstance(route, Route)
    return route, await route.handler(request)


async def test_whether_it_lives_and_whether_it_is_ready_is_for_everybody() -> None:
    route, answer = await get("/healthz")
    assert (route.level, answer.status, answer.body) == (None, 200, b"ok\n")
    route, answer = await get("/readyz")
    assert (route.level, answer.status, answer.body) == (None, 200, b"ready\n")
    _, answer = await get("/readyz", replace(NODE, ready=False))
    assert (answer.status, answer.body) == (503, b"not ready\n")


async def test_metrics_are_for_those_who_may_look() -> None:
    route, answer = await get("/metrics")
    assert (route.level, answer.status) == ("viewer", 200)
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert isinstance(answer.body, bytes)
    assert b'\nhaproxy_server_status{proxy="web",server="web1",state="UP"} 1\n' in answer.body
    assert b'\nhapair_vip_held{router="lan",vip="192.0.2.100/24"} 1\n' in answer.body
