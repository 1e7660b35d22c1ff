"""The files that the programs are given."""

from hapair.config import load_text
from hapair.lab.programs import Plan, hapair_yaml, haproxy_cfg, keepalived_conf

PLAN = Plan(
    nodes={"pi-a": "192.168.1.11", "pi-b": "192.168.1.12"},
    priorities={"pi-a": 200, "pi-b": 100},
    servers={"web1": "192.168.1.21:8080", "web2": "192.168.1.22:8080"},
    vip="192.168.1.100",
)


def test_the_plan_knows_its_spans() -> None:
    assert PLAN.preferred == "pi-a"
    assert round(PLAN.active_down_s, 4) == 0.3609
    assert PLAN.lease_s == 1


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


def test_haproxy_has_the_same_servers() -> None:
    assert haproxy_cfg(PLAN).splitlines()[-2:] == [
        "  server web1 192.168.1.21:8080 check inter 500ms",
        "  server web2 192.168.1.22:8080 check inter 500ms",
    ]
