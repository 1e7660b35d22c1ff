"""What the kernel is to serve: frontends by family, and who is chosen as servers stand."""

from collections import Counter
from dataclasses import replace

import pytest

from balancer.config import BalancerConfig, Pool, Server
from balancer.fieldtypes import Endpoint
from balancer.kernel.services import Service, newly_cut, services
from balancer.standing import Standing

DOWN, DRAIN, MAINT = Standing(up=False), Standing(admin="drain"), Standing(admin="maint")


def named(found: tuple[Service, ...]) -> dict[str, tuple[str, ...]]:
    return {service.name: service.choice for service in found}


def with_web(config: BalancerConfig, pool: Pool) -> BalancerConfig:
    return replace(config, pools={**config.pools, "web": pool})


def test_each_family_of_each_kernel_plane_frontend(config: BalancerConfig) -> None:
    found = services(config, {}, 4)
    assert [(one.name, one.frontend, one.pool, one.protocol, [*map(str, one.listen)]) for one in found] == [
        ("f0_web_1_4", "web.1", "web", "tcp", ["192.0.2.100:80", "192.0.2.100:81"]),
        ("f0_web_1_6", "web.1", "web", "tcp", ["[2001:db8::100]:80"]),
        ("f1_dns_4", "dns", "dns", "udp", ["192.0.2.100:53"]),
    ]
    assert [list(one.servers) for one in found] == [["web1", "web2"], ["six1"], ["a"]]
    assert found[0].choice == ("web1", "web2", "web1", "web2")
    assert found[0].counter_of("web2") == "f0_web_1_4_1_web2"


def test_each_range_of_ports_is_by_itself_and_single_ones_are_together(config: BalancerConfig) -> None:
    listen = ("192.0.2.100:80", "192.0.2.100:5000-5001", "192.0.2.101:5000-5001", "192.0.2.101:81")
    frontend = replace(config.frontends["web.1"], listen=tuple(map(Endpoint.parse_ports, listen)))
    single, ranged = services(replace(config, frontends={"web": frontend}), {}, 4)
    assert (single.name, ranged.name) == ("f0_web_4", "f0_web_4_5000")
    assert (single.shared, ranged.shared) == ("f0_web_4", "f0_web_4")
    assert (single.is_range, ranged.is_range) == (False, True)
    assert [str(one) for one in single.listen] == ["192.0.2.100:80", "192.0.2.101:81"]
    assert [str(one) for one in ranged.servers.values()] == ["192.0.2.21:8080-8081", "192.0.2.22:8080-8081"]


@pytest.mark.parametrize("standing", [DOWN, DRAIN, MAINT, Standing(weight=0)])
def test_who_takes_nothing_new_is_not_chosen(config: BalancerConfig, standing: Standing) -> None:
    found = services(config, {("web", "web1"): standing}, 4)
    assert found[0].choice == ("web2",) * 4
    assert services(config, {("web", "web1"): standing, ("web", "web2"): DOWN}, 4)[0].choice == ()
    assert found[1].choice == ("six1",) * 4


def test_a_machine_that_may_be_cut_off_ends_nobodys_flows_and_refuses_nobody(config: BalancerConfig) -> None:
    both = {("web", "web1"): DOWN, ("web", "web2"): DOWN}
    found = services(config, both, 4, cut_off=True)[0]
    assert (Counter(found.choice), found.cut) == ({"web1": 2, "web2": 2}, frozenset())
    one = services(config, {("web", "web1"): DOWN}, 4, cut_off=True)[0]
    assert (one.choice, one.cut) == (("web2",) * 4, frozenset())
    told = {("web", "web1"): Standing(up=False, admin="maint"), ("web", "web2"): DOWN}
    assert services(config, told, 4, cut_off=True)[0].choice == ("web2",) * 4


def test_a_weight_by_command(config: BalancerConfig) -> None:
    found = services(config, {("web", "web1"): Standing(weight=3)}, 400)
    assert Counter(found[0].choice) == {"web1": 300, "web2": 100}


def test_backups_stand_in(config: BalancerConfig) -> None:
    address = Endpoint("192.0.2.1", 80)
    servers = {"a": Server(address=address)} | {name: Server(address=address, backup=True) for name in ("b", "c")}
    six = {"six": Server(address=Endpoint("2001:db8::1", 80))}
    one, every = Pool(servers=servers | six), Pool(servers=servers | six, use_all_backups=True)
    gone = {("web", "a"): DOWN}
    assert services(with_web(config, one), {}, 4)[0].choice == ("a",) * 4
    assert services(with_web(config, one), gone, 4)[0].choice == ("b",) * 4
    assert services(with_web(config, one), {**gone, ("web", "b"): DOWN}, 4)[0].choice == ("c",) * 4
    assert services(with_web(config, every), gone, 4)[0].choice == ("b", "c", "b", "c")


def test_who_is_cut(config: BalancerConfig) -> None:
    before = services(config, {}, 4)
    keeps = services(config, {("web", "web1"): DOWN, ("web", "web2"): MAINT, ("dns", "a"): DRAIN}, 4)
    assert [sorted(one.cut) for one in keeps] == [["web1"], [], []]
    closing = with_web(config, replace(config.pools["web"], on_down="close"))
    closes = services(closing, {("web", "web2"): MAINT}, 4)
    assert [sorted(one.cut) for one in closes] == [["web2"], [], []]
    assert [(one.name, str(end)) for one, end in newly_cut(before, keeps)] == [("f0_web_1_4", "192.0.2.21:8080")]
    assert newly_cut(keeps, keeps) == []
    assert [str(end) for _, end in newly_cut((), keeps)] == ["192.0.2.21:8080"]
    assert [str(end) for _, end in newly_cut(keeps, keeps, came={"web.1"})] == ["192.0.2.21:8080"]
    assert newly_cut(keeps, keeps, came={"dns"}) == []
