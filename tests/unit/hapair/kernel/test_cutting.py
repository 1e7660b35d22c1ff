"""Which flows are a server's, and in which order they end."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from balancer.config import BalancerConfig
from balancer.fieldtypes import Endpoint
from balancer.kernel.conntrack import TCP, UDP, Flow
from balancer.kernel.services import Service, services
from hapair.kernel import cutting


def flow(protocol: int = TCP, vip: str = "192.0.2.100", port: int = 80, server: str = "192.0.2.20") -> Flow:
    client, packed_vip, packed = (ip_address(one).packed for one in ("192.0.2.7", vip, server))
    return Flow(protocol, client, 40000, packed_vip, port, packed, 80, packed_vip, 40000, 0, 60, None)


@pytest.fixture
def web(config: BalancerConfig) -> Service:
    return services(config, {}, 3)[0]


def test_a_flow_belongs_to_service_and_server(web: Service) -> None:
    server = Endpoint("192.0.2.20", 80)
    assert cutting.belongs(flow(), web, server)
    for other in (flow(UDP), flow(vip="192.0.2.9"), flow(port=81), flow(server="192.0.2.21")):
        assert not cutting.belongs(other, web, server)


def test_a_flow_belongs_to_a_range_of_ports(web: Service) -> None:
    ranged = replace(web, listen=(Endpoint("192.0.2.100", 79, 2),))
    assert cutting.belongs(flow(), ranged, Endpoint("192.0.2.20", 79, 2))
    assert not cutting.belongs(flow(), ranged, Endpoint("192.0.2.20", 78, 2))
    assert not cutting.belongs(flow(port=81), ranged, Endpoint("192.0.2.20", 79, 2))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    done: list[object] = []

    def flows(*, is_ipv6: bool) -> Iterator[Flow]:
        assert not is_ipv6
        yield from (flow(), flow(server="192.0.2.21"))

    monkeypatch.setattr(cutting.ctnetlink, "flows", flows)
    monkeypatch.setattr(cutting.ctnetlink, "delete", lambda keys: done.append(("deleted", len(keys))))
    monkeypatch.setattr(cutting, "send", lambda pokes: done.append(("told", [poke.to for poke in pokes])))
    monkeypatch.setattr(cutting, "PATIENCE_S", 0.0)
    return done


async def test_both_ends_are_told_before_the_kernel_forgets(web: Service, done: list[object]) -> None:
    assert await cutting.cut([(web, Endpoint("192.0.2.20", 80))], active={"web"}) == 1
    assert done == [("told", ["192.0.2.7", "192.0.2.20"]), ("deleted", 1)]


async def test_datagrams_are_forgotten_at_once(
    web: Service, done: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    dns = replace(web, protocol="udp", name="dns")  # of the same frontend, for brevity
    both = [flow(), flow(UDP), flow(UDP)._replace(client_port=2)]
    monkeypatch.setattr(cutting.ctnetlink, "flows", lambda *, is_ipv6: both)
    server = Endpoint("192.0.2.20", 80)
    assert await cutting.cut([(web, server), (dns, server)], active={"web"}) == 3
    assert done == [("deleted", 2), ("told", ["192.0.2.7", "192.0.2.20"]), ("deleted", 1)]


async def test_a_node_without_the_vip_keeps_what_it_is_to_take_over(web: Service, done: list[object]) -> None:
    assert await cutting.cut([(web, Endpoint("192.0.2.20", 80))], active=()) == 0
    assert done == []


async def test_a_kernel_that_refuses_is_no_end_of_the_node(web: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def flows(*, is_ipv6: bool) -> Iterator[Flow]:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(cutting.ctnetlink, "flows", flows)
    assert await cutting.cut([(web, Endpoint("192.0.2.20", 80))], active={"web"}) == 0
