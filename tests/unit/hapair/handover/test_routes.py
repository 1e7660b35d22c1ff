"""What `ip` is told and what it tells; the kernel's part is tested in tests/netns/test_handover_mechanism.py."""

import os
from ipaddress import ip_address
from pathlib import Path

import pytest

from hapair.handover import routes
from hapair.handover.routes import Port, additions, ports_of


def test_a_route_for_each_vip() -> None:
    assert additions({"eth0": [ip_address("10.0.0.1"), ip_address("fd00::1")]}) == (
        "route replace local 10.0.0.1 dev eth0 table local proto 113 metric 4000\n"
        "route replace local fd00::1 dev eth0 table local proto 113 metric 4000\n"
    )


def test_interfaces_are_told_with_their_mac_and_ipv4_addresses() -> None:
    links = [
        {"ifname": "lo", "link_type": "loopback", "address": "00:00:00:00:00:00", "addr_info": []},
        {"ifname": "tun0", "link_type": "none"},
        {
            "ifname": "eth0",
            "link_type": "ether",
            "address": "02:00:00:00:00:0a",
            "addr_info": [{"family": "inet", "local": "10.0.0.11"}, {"family": "inet6", "local": "fe80::1"}],
        },
    ]
    assert ports_of(links) == {"eth0": Port("02:00:00:00:00:0a", (ip_address("10.0.0.11"),))}


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program named `ip` is found; none is there at first."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "ip"


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def log_of(tool: Path) -> str:
    return Path(f"{tool}.log").read_text()


async def test_without_ip_the_words_say_how_to_get_it(tool: Path) -> None:
    assert await routes.add({}) == "there is no ip on this machine (apt install iproute2)"
    assert await routes.remove_all() == "there is no ip on this machine (apt install iproute2)"
    assert await routes.ports() == {}


async def test_the_batch_goes_to_ip(tool: Path) -> None:
    script(tool, f'echo "$@" >{tool}.log; while read -r line; do echo "$line" >>{tool}.log; done')
    assert await routes.add({"eth0": [ip_address("10.0.0.1")]}) is None
    assert log_of(tool) == ("-batch -\nroute replace local 10.0.0.1 dev eth0 table local proto 113 metric 4000\n")


async def test_all_routes_of_ours_are_removed_in_both_families(tool: Path) -> None:
    script(tool, f'echo "$@" >>{tool}.log')
    assert await routes.remove_all() is None
    assert log_of(tool) == ("-4 route flush table local proto 113\n-6 route flush table local proto 113\n")


async def test_a_refusal_is_told_in_its_own_words(tool: Path) -> None:
    script(tool, "echo 'RTNETLINK answers: Operation not permitted' >&2; exit 2")
    assert await routes.add({}) == "ip refuses: RTNETLINK answers: Operation not permitted"
    script(tool, "exit 3")
    assert await routes.remove_all() == "ip refuses: exit status 3"
    assert os.environ["PATH"] == str(tool.parent)
