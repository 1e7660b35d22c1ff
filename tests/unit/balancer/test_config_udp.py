"""What is said of flows, and where it means something."""

from typing import Any

import pytest

from balancer.config import (
    BalancerConfig,
    CertificateFiles,
    Frontend,
    FrontendTimeouts,
    FrontendTls,
    Pool,
    Server,
    UdpSettings,
)
from balancer.fieldtypes import Endpoint

DNS = Endpoint("192.0.2.1", 53)
TLS = FrontendTls(certificates=(CertificateFiles(certificate="a.pem"),))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"idle_s": 0.001}, r"^idle must be from 10ms to 24h$"),
        ({"idle_s": 90_000.0}, r"^idle must be from 10ms to 24h$"),
        ({"replies": -1}, r"^replies must be from 0 to 1000000$"),
        ({"requests": 0}, r"^requests must be from 1 to 1000000$"),
    ],
)
def test_settings_that_would_not_do(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        UdpSettings(**settings)


@pytest.mark.parametrize(
    ("frontend", "words"),
    [
        ({"mode": "tcp", "udp": UdpSettings(replies=1)}, r"^udp needs mode: udp$"),
        ({"mode": "udp", "timeouts": FrontendTimeouts(idle_s=9.0)}, r"^timeouts must be those of streams"),
        ({"mode": "udp", "accept_proxy": ("192.0.2.0/24",)}, r"^accept_proxy needs a mode with connections$"),
        ({"mode": "udp", "tls": TLS}, r"^tls needs a mode with connections$"),
        ({"mode": "udp", "trusted_proxies": ("192.0.2.0/24",)}, r"^trusted_proxies need mode: http$"),
        ({"mode": "udp", "pool": None}, r"^mode: udp needs a pool$"),
    ],
)
def test_keys_that_mean_nothing_to_datagrams_or_to_streams(frontend: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Frontend(**{"listen": (DNS,), "pool": "dns", **frontend})


def test_one_address_can_take_datagrams_and_connections() -> None:
    frontends = {
        "udp": Frontend(listen=(DNS,), mode="udp", pool="dns"),
        "tcp": Frontend(listen=(DNS,), mode="tcp", pool="dns"),
    }
    config = BalancerConfig(frontends=frontends, pools={"dns": Pool(servers={"one": Server(address=DNS)})})
    assert config.listeners() == {DNS: "tcp"}
    assert config.datagram_listeners() == {DNS: "udp"}
