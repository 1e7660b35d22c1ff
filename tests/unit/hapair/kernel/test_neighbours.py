"""Lanes and MAC addresses, from what `ip -json` prints; asking harms nobody."""

import errno
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from balancer.kernel.services import Lane, Station
from hapair.kernel import neighbours as module
from hapair.kernel.neighbours import Neighbours, lanes_of, macs_of
from vrrp.config import VirtualRouterConfig

ROUTER = VirtualRouterConfig(
    name="lan", vrid=51, interface="eth0", addresses=(IPv4Interface("192.0.2.100/24"),), virtual_mac=True
)
LINKS = [
    {"ifname": "lo", "link_type": "loopback", "address": "00:00:00:00:00:00"},
    {
        "ifname": "eth0",
        "link_type": "ether",
        "address": "02:00:00:00:00:11",
        "addr_info": [{"local": "192.0.2.100"}, {"local": "192.0.2.11"}, {}],
    },
]
NEIGHBOURS = [
    {"dst": "192.0.2.21", "dev": "eth0", "lladdr": "02:00:00:00:00:21", "state": ["STALE"]},
    {"dst": "192.0.2.22", "dev": "eth0", "state": ["FAILED"]},
    {"dst": "192.0.2.99", "dev": "eth0", "lladdr": "02:00:00:00:00:99", "state": ["REACHABLE"]},
]
LANE = Lane("eth0", "02:00:00:00:00:11", ("02:00:00:00:00:11", "00:00:5e:00:01:33"), ("192.0.2.11",))


def test_lanes() -> None:
    assert lanes_of([ROUTER], LINKS) == {"192.0.2.100": LANE}
    assert lanes_of([ROUTER], LINKS[:1]) == {}


def test_mac_addresses() -> None:
    assert macs_of(NEIGHBOURS, {"192.0.2.21", "192.0.2.22"}) == {"192.0.2.21": "02:00:00:00:00:21"}


async def test_what_ip_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    neighbours = Neighbours([ROUTER], {"127.0.0.1"})
    assert await neighbours.look() == Station({}, {})
    script = tmp_path / "ip"
    script.write_text(
        '#!/bin/sh\ncase "$2" in address) echo \'[{"ifname": "eth0", "link_type": "ether", '
        '"address": "02:00:00:00:00:11"}]\';; '
        '*) echo \'[{"dst": "127.0.0.1", "lladdr": "02:00:00:00:00:21"}]\';; esac\n'
    )
    script.chmod(0o755)
    assert await neighbours.look() == Station(
        {"192.0.2.100": LANE._replace(own=())}, {"127.0.0.1": "02:00:00:00:00:21"}
    )
    neighbours.ask()
    neighbours.close()


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EACCES, errno.EINVAL, errno.ENETDOWN, errno.ENETUNREACH])
def test_a_server_that_cannot_be_asked_now_is_asked_later(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    asked: list[tuple[str, int]] = []

    class Sock:
        def __init__(self, *_: int) -> None: ...
        def __enter__(self) -> "Sock":
            return self

        def __exit__(self, *_: object) -> None: ...
        def sendto(self, _: bytes, to: tuple[str, int]) -> None:
            asked.append(to)
            raise OSError(number, "no")

    neighbours = Neighbours((), ("192.0.2.21", "2001:db8::21"))
    with monkeypatch.context() as patched:
        patched.setattr(module.socket, "socket", Sock)
        neighbours.ask()
    neighbours.close()
    assert asked == [("192.0.2.21", 9), ("2001:db8::21", 9)]
