"""What a configuration may say; each type refuses what does not hold together."""

from typing import Any

import pytest

from balancer.config import (
    Acme,
    BalancerConfig,
    Frontend,
    HeaderRules,
    HttpLimits,
    Maintenance,
    Pool,
    RequestId,
    Route,
    Server,
    files_named,
    pools_of,
)
from balancer.config_routes import Respond
from balancer.fieldtypes import Endpoint

ONE, TWO = Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)
SERVER = Server(address=Endpoint("192.0.2.1", 80))
POOL = Pool(servers={"one": SERVER})


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"listen": ()}, "at least one address to listen on"),
        ({"listen": (ONE, ONE)}, "must not name the same address twice"),
        ({"max_connections": 0}, "max_connections must be at least 1"),
        ({"mode": "tcp", "request_id": RequestId()}, "request_id needs mode: http"),
        ({"mode": "tcp", "error_pages": {"503": "a"}}, "error_pages need mode: http"),
        ({"error_pages": {"200": "a"}}, "200 is not a status"),
        ({"request": HeaderRules(set_headers={"X": "{server}"})}, "is not one of"),
        ({"mode": "tcp", "pool": None}, "mode: tcp needs a pool"),
        ({"pool": None}, "needs a pool or routes"),
    ],
)
def test_a_frontend_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Frontend(**{"listen": (ONE,), "pool": "web", **fields})


@pytest.mark.parametrize("fields", [{"head_bytes": 1023}, {"header_count": 0}, {"target_bytes": 63}])
def test_limits_refuse(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="head must be at least 1KiB, header_count 1 and target 64B"):
        HttpLimits(**fields)


def test_a_frontend_names_its_pools_the_default_last() -> None:
    frontend = Frontend(listen=(ONE,), pool="web", routes=(Route(pool="api", path=("/v1/*",)), Route(pool="img")))
    assert pools_of(frontend) == ("api", "img", "web")
    assert pools_of(Frontend(listen=(ONE,), pool="web", acme=Acme(pool="certbot"))) == ("certbot", "web")
    assert pools_of(Frontend(listen=(ONE,), routes=(Route(deny=403),))) == ()
    assert pools_of(Frontend(listen=(ONE,), routes=(Route(pool="api"),))) == ("api",)


def test_a_pool_that_does_not_exist_is_refused() -> None:
    frontend = Frontend(listen=(ONE,), pool="web", routes=(Route(pool="api"),))
    with pytest.raises(ValueError, match="frontend 'main' names pool 'api', which does not exist"):
        BalancerConfig(frontends={"main": frontend}, pools={"web": POOL})


def test_every_address_and_its_frontend() -> None:
    config = BalancerConfig(
        frontends={"a": Frontend(listen=(ONE,), pool="web"), "b": Frontend(listen=(TWO,), pool="web")},
        pools={"web": POOL},
    )
    assert config.listeners() == {ONE: "a", TWO: "b"}


def test_every_file_that_answers_are_made_of() -> None:
    frontend = Frontend(
        listen=(ONE,),
        routes=(Route(respond=Respond(body_file="about.html")), Route(deny=403)),
        maintenance=Maintenance(page="sorry.html"),
        error_pages={"503": "sorry.html", "502": "bad.html"},
    )
    pool = Pool(servers={"one": SERVER}, sorry_page=Maintenance(page="later.html"))
    assert files_named({"main": frontend}, {"pool": pool}) == ("about.html", "sorry.html", "bad.html", "later.html")
