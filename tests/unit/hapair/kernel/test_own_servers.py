"""Servers that are on this machine itself."""

from dataclasses import replace

from balancer.config import BalancerConfig
from hapair.kernel.own_servers import is_own, own_servers


def test_what_is_this_machines() -> None:
    assert [is_own(host) for host in ("127.0.0.1", "192.0.2.21", "2001:db8::21")] == [True, False, False]


def test_each_server_is_named_once(config: BalancerConfig) -> None:
    here = lambda host: host == "192.0.2.21"  # noqa: E731
    assert own_servers(config.frontends, config.pools, own=here) == [
        "server b of pool web is on this machine (192.0.2.21), and plane: kernel only forwards; use plane: proxy"
    ]
    proxied = {name: replace(one, plane="proxy") for name, one in config.frontends.items()}
    assert own_servers(proxied, config.pools, own=here) == []
