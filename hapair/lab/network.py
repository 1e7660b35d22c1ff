"""The lab's network: a bridge, and hosts plugged into it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from hapair.lab.addresses import Addresses, open_netlink
from hapair.lab.entry import inside
from hapair.lab.host import Host
from hapair.lab.namespace import set_sysctl

PREFIX = 24
_FOLDER = Path("/run/lab")


class Lab:
    """A LAN. Made by `open_lab`, which also takes it down."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.hosts: dict[str, Host] = {}

    async def host(self, name: str, address: str) -> Host:
        """A new machine with this IPv4 address on eth0, plugged in and up. Its IPv6 addresses end as that one does."""
        await _ip("", f"netns add {name}", f"link add {name} netns lan type veth peer name eth0 netns {name}")
        await _ip("lan", f"link set {name} master br0 up")
        own = [f"{address}/{PREFIX}", *([f"{ipv6_of(address)}/64"] if _no_waiting(name) else [])]
        await _ip(name, "link set lo up", *(f"address add {one} dev eth0" for one in own), "link set eth0 up")
        folder = _FOLDER / name
        folder.mkdir(parents=True)
        addresses = Addresses(open_netlink(Path("/run/netns", name)))
        self._nursery.start_soon(addresses.follow)
        host = self.hosts[name] = Host(name, address, addresses=addresses, folder=folder)
        return host


@asynccontextmanager
async def open_lab() -> AsyncIterator[Lab]:
    """An empty LAN, which must be made inside the lab's namespaces (see entry.py); gone when the block ends."""
    if not inside():
        raise RuntimeError("a lab is made inside namespaces of its own: start this program with hapair.lab.entry.enter")
    await _ip("", "netns add lan")
    # Without a querier the bridge's multicast snooping forgets who wants adverts: a plain switch floods.
    await _ip("lan", "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set br0 up")
    async with trio.open_nursery() as nursery:
        lab = Lab(nursery)
        try:
            yield lab
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await _take_down(lab.hosts.values())


async def _take_down(hosts: Iterable[Host]) -> None:
    for host in hosts:
        await host.kill_all()
        await trio.run_process(["rm", "-r", str(host.folder)])
    await _ip("", *(f"netns delete {host.name}" for host in hosts), "netns delete lan")


def ipv6_of(address: str) -> str:
    """The IPv6 address of the host with this IPv4 address."""
    return f"fd00:51::{address.rpartition('.')[2]}"


def _no_waiting(name: str) -> bool:
    """Let a host's IPv6 addresses be there at once and outlive `link set down`; False where the kernel has no IPv6."""
    try:
        for setting, value in (("accept_dad", "0"), ("keep_addr_on_down", "1")):
            set_sysctl(Path("/run/netns", name), f"ipv6/conf/eth0/{setting}", value)
    except FileNotFoundError:
        return False
    return True


async def _ip(namespace: str, *commands: str) -> None:
    where = ["-n", namespace] if namespace else []
    await trio.run_process(["ip", *where, "-batch", "-"], stdin="\n".join((*commands, "")).encode())
