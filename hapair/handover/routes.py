"""VIPs as local routes: the kernel goes on taking and sending packets of a VIP whose address has left the interface.

By `ip` in a child process (iproute2 is on every Debian). The routes stand beside the kernel's own for the address,
behind it by their metric, so that either may come and go at any time; their protocol number says that they are ours.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import Any

import trio

from vrrp.config import Address

PROTOCOL = 113
METRIC = 4000
LIMIT_S = 5.0
NO_IP = "there is no ip on this machine (apt install iproute2)"


@dataclass(frozen=True, slots=True)
class Port:
    """An interface as the LAN sees it."""

    mac: str
    addresses: tuple[IPv4Address, ...]


async def add(vips: Mapping[str, Sequence[Address]]) -> str | None:
    """VIPs by interface. Returns what is in the way, in words; None: the kernel has the routes."""
    return await _run(["-batch", "-"], additions(vips))


def additions(vips: Mapping[str, Sequence[Address]]) -> str:
    """A batch for `ip`. `replace` takes the place of a route with the same metric only: of ours."""
    lines = (
        f"route replace local {vip} dev {interface} table local proto {PROTOCOL} metric {METRIC}\n"
        for interface, listed in vips.items()
        for vip in listed
    )
    return "".join(lines)


async def remove_all() -> str | None:
    """Every route of ours: at the end of a handover, and when a node starts."""
    obstacles = [await _run([f"-{version}", *_FLUSH]) for version in (4, 6)]
    return obstacles[0] or obstacles[1]


_FLUSH = ("route", "flush", "table", "local", "proto", str(PROTOCOL))


async def _run(arguments: Sequence[str], batch: str = "") -> str | None:
    try:
        with trio.fail_after(LIMIT_S):
            run = await trio.run_process(
                ["ip", *arguments],
                stdin=batch.encode(),
                capture_stderr=True,
                check=False,
                capture_stdout=True,
            )
    except FileNotFoundError:
        return NO_IP
    except trio.TooSlowError:
        return f"ip did not end within {LIMIT_S:.0f} s"
    if run.returncode == 0:
        return None
    said = run.stderr.decode(errors="replace").splitlines()
    return f"ip refuses: {said[0] if said else f'exit status {run.returncode}'}"


async def ports() -> dict[str, Port]:
    """Every Ethernet interface that there is, by name; none where `ip` does not say."""
    try:
        run = await trio.run_process(["ip", "-json", "address", "show"], capture_stdout=True, check=False)
    except FileNotFoundError:
        return {}
    return ports_of(json.loads(run.stdout or b"[]"))


def ports_of(links: Sequence[Mapping[str, Any]]) -> dict[str, Port]:
    """From what `ip -json address show` prints."""
    return {
        link["ifname"]: Port(link["address"], tuple(_own_ipv4(link)))
        for link in links
        if link.get("link_type") == "ether" and "address" in link
    }


def _own_ipv4(link: Mapping[str, Any]) -> list[IPv4Address]:
    found = [ip_address(one["local"]) for one in link.get("addr_info", ()) if one.get("family") == "inet"]
    return [address for address in found if isinstance(address, IPv4Address)]
