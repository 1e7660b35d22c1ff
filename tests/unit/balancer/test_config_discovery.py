"""What a file may say of servers that it knows by name."""

from dataclasses import replace
from typing import Any

import pytest

from balancer.config_checks import Check, CheckTls
from balancer.config_discovery import Resolve
from balancer.config_pools import Pool, Server
from balancer.config_tls import PoolTls
from balancer.fieldtypes import Endpoint

APP = Server(address=Endpoint("app.internal", 80))
PLAIN = Server(address=Endpoint("192.0.2.1", 80))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"interval_s": 0.5}, "interval must be from 1s to 24h"),
        ({"hold_s": 700_000.0}, "hold must be at most 168h"),
        ({"timeout_s": 0.0}, "timeout must be from 100ms to 1m"),
        ({"nameservers": (Endpoint("/run/x", 0),)}, "nameservers must be IP addresses"),
    ],
)
def test_what_resolve_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Resolve(**fields)


def test_a_template_becomes_its_servers_and_stays_that() -> None:
    pool = Pool(servers={"app": replace(APP, count=3, weight=7), "old": PLAIN})
    assert pool.servers == {**{f"app{n}": replace(APP, weight=7) for n in (1, 2, 3)}, "old": PLAIN}
    assert replace(pool, retries=1).servers == pool.servers


@pytest.mark.parametrize("first", ["app", "app1"])
def test_a_template_shares_no_name_with_another_server(first: str) -> None:
    both = {"app": replace(APP, count=2), "app1": PLAIN}
    servers = {first: both.pop(first), **both}
    with pytest.raises(ValueError, match="app1 is one of template app as well"):
        Pool(servers=servers)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"address": Endpoint("192.0.2.1", 80), "count": 2}, "count needs a name that has addresses"),
        ({"address": Endpoint("app.internal", 80), "count": 0}, "count must be from 1 to 1000"),
        ({"address": Endpoint("app.internal", 80), "count": 1001}, "count must be from 1 to 1000"),
        ({"address": Endpoint("app.internal", 80), "srv": "_a._tcp.b"}, "srv must not be given with address"),
        ({"srv": "app.internal"}, "is not the name of SRV records"),
        ({}, "address is missing"),
    ],
)
def test_what_a_server_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Server(**fields)


def test_srv_records_are_an_address_of_no_port() -> None:
    server = Server(srv="_HTTP._tcp.app.internal.")
    assert server.address == Endpoint("_http._tcp.app.internal", 0)
    assert str(server.address) == "_http._tcp.app.internal"
    assert replace(server, weight=2).address == server.address


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"servers": {"a": APP}, "tls": PoolTls()}, "tls must have a server_name"),
        ({"servers": {"a": APP}, "check": Check(tls=CheckTls())}, "check must have a tls name"),
        ({"servers": {"a": PLAIN}, "resolve": Resolve(hold_s=1.0)}, "resolve needs a server that is known by its name"),
    ],
)
def test_what_a_pool_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Pool(**fields)
