"""Which plane: what is refused, with the reason."""

from dataclasses import replace

import pytest

from balancer.config import ClientLimits, Frontend, FrontendTimeouts, Pool, Server
from balancer.config_kernel import pool_obstacle
from balancer.config_pools import PoolTimeouts
from balancer.fieldtypes import Endpoint

VIP = (Endpoint("192.0.2.100", 80),)
POOL = Pool(servers={"a": Server(address=Endpoint("192.0.2.1", 80))})


def test_tcp_and_udp_with_limits() -> None:
    limits = ClientLimits(connections=5)
    for mode in ("tcp", "udp"):
        frontend = Frontend(listen=VIP, pool="a", mode=mode, plane="kernel", forward="nat", limits=limits)
        assert frontend.plane == "kernel"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"plane": "proxy", "forward": "nat"}, "forward needs plane: kernel"),
        (
            {"forward": "dsr", "limits": ClientLimits(connections=5)},
            "limits needs forward: nat; with dsr nothing is remembered of a client",
        ),
        ({"plane": "proxy", "syn_proxy": True}, "syn_proxy needs plane: kernel; where processes of ours"),
        ({"mode": "udp", "syn_proxy": True}, "syn_proxy needs mode: tcp and forward: nat"),
        ({"forward": "dsr", "syn_proxy": True}, "syn_proxy needs mode: tcp and forward: nat"),
        ({"mode": "http"}, "plane: kernel needs mode: tcp or mode: udp; requests of HTTP are read by the proxy plane"),
        ({"accept_proxy": ("192.0.2.0/24",)}, "accept_proxy needs plane: proxy; the kernel moves packets"),
        ({"timeouts": FrontendTimeouts(idle_s=7.0)}, "timeouts needs plane: proxy; the kernel moves packets"),
        (
            {"listen": (Endpoint("::", 80),)},
            r"plane: kernel must listen on an address, .* not on \[::\]:80",
        ),
    ],
)
def test_what_the_kernel_cannot_do_is_refused(keys: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Frontend(**{"listen": VIP, "pool": "a", "mode": "tcp", "plane": "kernel", **keys})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pool", "obstacle"),
    [
        (POOL, None),
        (replace(POOL, policy="source_hash", on_down="close"), None),
        (replace(POOL, policy="least_connections"), ("policy", "the kernel knows round_robin, random and source_hash")),
        (
            replace(POOL, timeouts=PoolTimeouts(connect_s=1.0)),
            ("timeouts", "it does nothing where the kernel moves the packets"),
        ),
        (
            Pool(servers={"a": Server(address=Endpoint("fe80::1%eth0", 80))}),
            ("servers", "the kernel forwards to IP addresses that the file says, and a has [fe80::1%eth0]:80"),
        ),
        (replace(POOL, slow_start_s=5.0), ("slow_start", "it does nothing where the kernel moves the packets")),
        (
            Pool(servers={"a": Server(address=Endpoint("192.0.2.1", 80), max_connections=5)}),
            ("servers", "max_connections of a does nothing where the kernel moves the packets"),
        ),
    ],
)
def test_what_pools_cannot_have(pool: Pool, obstacle: tuple[str, str] | None) -> None:
    assert pool_obstacle(pool) == obstacle


def test_direct_server_return_remembers_no_turn() -> None:
    words = "forward: dsr remembers no turn, so it must be random or source_hash"
    assert pool_obstacle(POOL, direct=True) == ("policy", words)
    assert pool_obstacle(replace(POOL, policy="random"), direct=True) is None
