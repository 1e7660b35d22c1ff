"""What a pool and its servers may say."""

from typing import Any

import pytest

from balancer.config_pools import Pool, Server
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
        ({"servers": {}}, "at least one server"),
        ({"servers": {"one": SERVER}, "retries": -1}, "retries must be from 0 to 100"),
        ({"servers": {"one": SERVER}, "retries": 101}, "retries must be from 0 to 100"),
    ],
)
def test_a_pool_refuses(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Pool(**fields)
