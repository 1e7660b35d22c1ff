"""What sockets are told, and where it means something."""

from typing import Any

import pytest

from balancer.config import (
    Check,
    Frontend,
    FrontendTimeouts,
    KeepAlive,
    ListenTcp,
    Pool,
    PoolTls,
    Server,
    ServerTcp,
    UnixFile,
)
from balancer.config_checks import AgentCheck, CheckTls
from balancer.fieldtypes import Endpoint

WEB = Endpoint("192.0.2.1", 80)
UNIX = Endpoint("/run/x.sock", 0)
TLS_CHECK = Check(http="GET /", tls=CheckTls())


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (KeepAlive, {"idle_s": 0.5}, r"^idle and interval must be whole seconds"),
        (KeepAlive, {"interval_s": 1.5}, r"^idle and interval must be whole seconds"),
        (KeepAlive, {"count": 0}, r"^count must be from 1 to 127$"),
        (ListenTcp, {"backlog": 0}, r"^backlog must be from 1 to 65535$"),
        (ListenTcp, {"user_timeout_s": 0.0}, r"^user_timeout must be from 1ms to 24h$"),
        (ServerTcp, {"user_timeout_s": 90_000.0}, r"^user_timeout must be from 1ms to 24h$"),
        (UnixFile, {"mode": "rw"}, r"^mode must be three octal digits"),
    ],
)
def test_settings_that_would_not_do(kind: Any, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kind(**settings)


def test_a_mode_is_octal() -> None:
    assert (UnixFile().bits, UnixFile(mode="600").bits) == (0o660, 0o600)


@pytest.mark.parametrize(
    ("frontend", "words"),
    [
        ({"listen": (WEB,), "unix": UnixFile(mode="0666")}, r"^unix must go with a unix socket in listen"),
        ({"listen": (UNIX,), "mode": "udp"}, r"^listen must have addresses and ports for mode: udp$"),
        ({"listen": (WEB,), "mode": "udp", "tcp": ListenTcp(backlog=5)}, r"^tcp needs a mode with connections$"),
        ({"listen": (UNIX,), "timeouts": FrontendTimeouts(download_rate=9.0)}, r"^timeouts.download_rate needs TCP"),
    ],
)
def test_keys_that_need_another_kind_of_socket(frontend: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Frontend(**{"pool": "web", **frontend})


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        ({"transparent": True, "source": "192.0.2.9"}, r"^source must not be given with transparent"),
        ({"servers": {"one": Server(address=UNIX)}, "tls": PoolTls()}, r"^tls must have a server_name"),
        ({"servers": {"one": Server(address=UNIX)}, "check": TLS_CHECK}, r"^check must have a tls name"),
        ({"servers": {"one": Server(address=UNIX)}, "agent": AgentCheck(port=99)}, r"^agent must be told where it is"),
    ],
)
def test_pools_that_contradict_themselves(pool: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Pool(**{"servers": {"one": Server(address=WEB)}, **pool})
