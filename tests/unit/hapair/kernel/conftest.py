"""A frontend of each protocol on the kernel plane."""

import pytest

from balancer.config import BalancerConfig, Frontend, Pool, Server
from balancer.fieldtypes import Endpoint

VIP = "192.0.2.100"


@pytest.fixture
def config() -> BalancerConfig:
    servers = {name: Server(address=Endpoint(f"192.0.2.2{i}", 80)) for i, name in enumerate("ab")}
    web = Frontend(listen=(Endpoint(VIP, 80),), mode="tcp", plane="kernel", pool="web")
    dns = Frontend(listen=(Endpoint(VIP, 53),), mode="udp", plane="kernel", pool="web")
    return BalancerConfig(frontends={"web": web, "dns": dns}, pools={"web": Pool(servers=servers)})
