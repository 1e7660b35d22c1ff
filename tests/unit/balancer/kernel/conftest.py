"""Two frontends of the kernel plane and the pools behind them."""

import pytest

from balancer.config import BalancerConfig, ClientLimits, Frontend, Pool, Server
from balancer.fieldtypes import Endpoint


def at(*texts: str) -> tuple[Endpoint, ...]:
    return tuple(Endpoint.parse(text) for text in texts)


@pytest.fixture
def config() -> BalancerConfig:
    web, six, dns = at("192.0.2.21:8080", "[2001:db8::21]:8080", "192.0.2.31:53")
    return BalancerConfig(
        frontends={
            "web.1": Frontend(
                listen=at("192.0.2.100:80", "192.0.2.100:81", "[2001:db8::100]:80"),
                mode="tcp",
                plane="kernel",
                pool="web",
            ),
            "proxied": Frontend(listen=at("192.0.2.100:90"), mode="tcp", pool="web"),
            "dns": Frontend(
                listen=at("192.0.2.100:53"),
                mode="udp",
                plane="kernel",
                pool="dns",
                limits=ClientLimits(
                    allow=("192.0.2.0/24",), deny=("192.0.2.77/32",), connections=5, connection_rate=0.5
                ),
            ),
        },
        pools={
            "web": Pool(
                servers={
                    "web1": Server(address=web),
                    "web2": Server(address=Endpoint("192.0.2.22", 8080)),
                    "six1": Server(address=six),
                }
            ),
            "dns": Pool(policy="source_hash", servers={"a": Server(address=dns, weight=2)}),
        },
    )
