"""The files that the programs are given."""

from dataclasses import replace

import pytest

from hapair.config import load_text
from hapair.lab.files import hapair_yaml, haproxy_cfg, keepalived_conf, vrrpd_conf
from hapair.lab.plan import Plan

PLAN = Plan(
    nodes={"pi-a": "192.168.1.11", "pi-b": "192.168.1.12"},
    priorities={"pi-a": 200, "pi-b": 100},
    servers={"web1": "192.168.1.21:8080", "web2": "192.168.1.22:8080"},
    vip="192.168.1.100",
)
FOREIGN = replace(PLAN, foreign=True)
SIX = replace(FOREIGN, vip="fd00:51::100", nodes={"pi-a": "fd00:51::11", "pi-b": "fd00:51::12"})


def test_hapair_accepts_its_file() -> None:
    file = load_text(hapair_yaml(PLAN)).file
    router = file.virtual_routers["lan"]
    assert dict(file.pair.nodes) == {"pi-a": "192.168.1.11", "pi-b": "192.168.1.12"}
    assert (router.vrid, router.advertisement_interval_s, dict(router.priority)) == (
        51,
        0.1,
        {"pi-a": 200, "pi-b": 100},
    )
    assert [str(vip) for vip in router.addresses] == ["192.168.1.100/24"]
    assert list(file.pools["web"].servers) == ["web1", "web2"]


def test_a_pair_of_hapairs_has_a_secret_and_one_with_a_stranger_signs_nothing() -> None:
    assert load_text(hapair_yaml(PLAN)).file.pair.secret_file == "pair.key"
    mixed = load_text(hapair_yaml(FOREIGN)).file
    assert mixed.pair.secret_file is None
    assert mixed.virtual_routers["lan"].authenticate is False


def test_every_form_of_vrrp_can_be_asked_for() -> None:
    two = load_text(hapair_yaml(replace(FOREIGN, version=2, password="secret12", interval_ms=1000)))
    router = two.file.virtual_routers["lan"]
    assert (router.version, router.password, router.interval_s) == (2, "secret12", 1.0)
    router = load_text(hapair_yaml(replace(SIX, unicast=True, virtual_mac=True))).file.virtual_routers["lan"]
    assert (router.peers, router.virtual_mac) == ("unicast", True)
    assert [str(vip) for vip in router.addresses] == ["fe80::200:5eff:fe00:233/64", "fd00:51::100/64"]
    assert load_text(hapair_yaml(replace(PLAN, checksum="rfc9568"))).file.virtual_routers["lan"].checksum == "rfc9568"


def test_keepalived_is_told_the_same() -> None:
    assert (
        keepalived_conf(PLAN, "pi-b")
        == """\
global_defs {
  router_id pi-b
  vrrp_version 3
}
vrrp_instance lan {
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority 100
  advert_int 0.1
  virtual_ipaddress {
    192.168.1.100/32
  }
}
"""
    )


@pytest.mark.parametrize(
    ("plan", "lines"),
    [
        pytest.param(
            replace(PLAN, version=2, password="secret12", interval_ms=1000),
            ["  vrrp_version 2", "  advert_int 1", "    auth_type PASS", "    auth_pass secret12"],
            id="v2",
        ),
        pytest.param(
            replace(SIX, unicast=True),
            [
                "  unicast_src_ip fd00:51::12",
                "    fd00:51::11",
                "    fe80::200:5eff:fe00:233/128",
                "    fd00:51::100/128",
            ],
            id="v6-unicast",
        ),
        pytest.param(replace(PLAN, virtual_mac=True), ["  use_vmac vrrp.51"], id="virtual-mac"),
    ],
)
def test_keepalived_is_told_of_every_form(plan: Plan, lines: list[str]) -> None:
    written = keepalived_conf(plan, "pi-b").splitlines()
    assert [line for line in lines if line not in written] == []


def test_vrrpd_is_told_the_same() -> None:
    assert (
        vrrpd_conf(PLAN, "pi-a")
        == """\
hostname pi-a
log stdout
interface eth0
 vrrp 51 version 3
 vrrp 51 priority 200
 vrrp 51 advertisement-interval 100
 vrrp 51 ip 192.168.1.100
"""
    )


def test_haproxy_has_the_same_servers() -> None:
    assert haproxy_cfg(PLAN).splitlines()[-2:] == [
        "  server web1 192.168.1.21:8080 check inter 500ms",
        "  server web2 192.168.1.22:8080 check inter 500ms",
    ]
