"""What a pool and its servers may say."""

from dataclasses import replace
from typing import Any

import pytest

from balancer.config_checks import Check
from balancer.config_pools import CONNECT, Pool, Server
from balancer.fieldtypes import Endpoint

SERVER = Server(address=Endpoint("192.0.2.1", 80))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"weight": -1}, "weight must be from 0 to 256"),
        ({"weight": 257}, "weight must be from 0 to 256"),
        ({"max_connections": 0}, "max_connections must be at least 1"),
    ],
)
def test_a_server_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Server(address=Endpoint("192.0.2.1", 80), **fields)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"servers": {"one": SERVER}, "retries": -1}, "retries must be from 0 to 100"),
        ({"servers": {"one": SERVER}, "retries": 101}, "retries must be from 0 to 100"),
    ],
)
def test_a_pool_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Pool(**fields)


@pytest.mark.parametrize(
    ("of_pool", "of_server", "check"),
    [
        (None, None, None),
        (None, False, None),
        (None, True, CONNECT),
        (Check(rise=9), None, Check(rise=9)),
        (Check(rise=9), False, None),
        (Check(rise=9), True, Check(rise=9)),
    ],
)
def test_a_server_may_be_checked_otherwise_than_its_pool_says(
    of_pool: Check | None, of_server: bool | None, check: Check | None
) -> None:
    pool = Pool(servers={"one": replace(SERVER, check=of_server)}, check=of_pool)
    assert pool.check_of("one") == check
