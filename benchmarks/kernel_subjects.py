"""What benchmarks/kernel_failover.py compares: ways to run a pair of nodes that clients' connections go through.

    hapair nat, hapair dsr     the kernel plane
    haproxy                    keepalived for the VIP, HAProxy in mode tcp on each node
    conntrackd                 keepalived for the VIP, nftables for the translation, conntrackd to tell the other node
                               of flows, set up as its manual advises for the quickest failover: straight into the
                               kernel (DisableExternalCache), liberal about sequence numbers

The peers have the IPv4 VIP alone, hapair both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from hapair.lab.host import Host
from hapair.lab.kernel_pair import VIP6, WEB, KernelPair
from hapair.lab.pair import NODES, PLAN, SERVERS, VIP
from hapair.lab.programs import start_keepalived

PORT = 8080
_DSR = """\
frontends:
  web: {listen: ["192.168.1.100:8080", "[fd00:51::100]:8080"], mode: tcp, plane: kernel, forward: dsr, pool: web}
pools:
  web:
    policy: random
    check: {tcp: connect, interval: 500ms, timeout: 500ms}
    servers:
      web1: 192.168.1.21:8080
      web2: 192.168.1.22:8080
      web3: 192.168.1.23:8080
      six1: "[fd00:51::21]:8080"
      six2: "[fd00:51::22]:8080"
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """One way. `file`: frontends and pools where it is hapair."""

    name: str
    vips: Sequence[str]
    port: int
    programs: Sequence[str] = ()
    """What must be installed for it."""
    file: str | None = None

    @property
    def is_ours(self) -> bool:
        return self.file is not None

    async def start(self, net: KernelPair) -> None:
        """Everything but the servers' own programs."""
        match self.name:
            case "haproxy":
                await _each(net, _start_haproxy)
            case "conntrackd":
                await _each(net, _start_conntrackd)
            case _:
                if self.name == "hapair dsr":
                    await _hold_the_vips(net)
                await net.start()

    async def until_ready(self, net: KernelPair) -> None:
        """The first node is Active, and both would carry traffic. Raises AssertionError, trio.TooSlowError."""
        if self.name == "hapair nat":
            await net.until(net.replicates)
        elif self.is_ours:
            await net.until(net.is_serving)
        with trio.fail_after(20):
            await net.nodes[0].addresses.until(VIP, present=True, within_s=20)


SUBJECTS = (
    Subject("hapair nat", (VIP, VIP6), 80, file=WEB),
    Subject("hapair dsr", (VIP, VIP6), PORT, file=_DSR),
    Subject("haproxy", (VIP,), 80, programs=("keepalived", "haproxy")),
    Subject("conntrackd", (VIP,), 80, programs=("keepalived", "conntrackd", "nft")),
)


async def _each(net: KernelPair, start: Callable[[Host], Awaitable[None]]) -> None:
    for node in net.nodes:
        await start(node)
        await start_keepalived(node, PLAN)


async def _hold_the_vips(net: KernelPair) -> None:
    for server in net.servers:
        await server.run(["sysctl", "-w", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"])
        await server.run(["ip", "address", "add", f"{VIP}/32", "dev", "lo"])
        await server.run(["ip", "address", "add", f"{VIP6}/128", "dev", "lo"])


async def _start_haproxy(node: Host) -> None:
    file = node.folder / "haproxy.cfg"
    file.write_text(haproxy_cfg())
    await node.start(["haproxy", "-db", "-f", str(file)], log="haproxy.log")


async def _start_conntrackd(node: Host) -> None:
    await node.run(["sysctl", "-w", "net.ipv4.ip_forward=1"])
    rules, file = node.folder / "rules.nft", node.folder / "conntrackd.conf"
    rules.write_text(nat_rules())
    await node.run(["nft", "-f", str(rules)])
    await node.run(["sysctl", "-w", "net.netfilter.nf_conntrack_tcp_be_liberal=1"])
    file.write_text(conntrackd_conf(node.name, str(node.folder)))
    await node.start(["conntrackd", "-C", str(file)], log="conntrackd.log")


def haproxy_cfg() -> str:
    """Mode tcp, the servers in turn; on every address, since the VIP comes and goes."""
    servers = "\n".join(f"  server {name} {address}:{PORT} check" for name, address in SERVERS.items())
    return f"""\
defaults
  mode tcp
  timeout connect 2s
  timeout client 60s
  timeout server 60s
listen web
  bind *:80
{servers}
"""


def nat_rules() -> str:
    """The VIP's port 80 to the servers in turn, which answer to the VIP: the kernel plane without its care."""
    listed = ", ".join(f"{number} : {address}" for number, address in enumerate(SERVERS.values()))
    return f"""\
table ip peer {{
  chain to {{
    type nat hook prerouting priority dstnat
    ip daddr {VIP} tcp dport 80 dnat to numgen inc mod {len(SERVERS)} map {{ {listed} }} : {PORT}
  }}
  chain from {{
    type nat hook postrouting priority srcnat
    ct original ip daddr {VIP} ct status dnat snat to {VIP}
  }}
}}
"""


def conntrackd_conf(name: str, folder: str) -> str:
    """conntrackd's file for one node."""
    peer = next(address for node, address in NODES.items() if node != name)
    return f"""\
Sync {{
  Mode FTFW {{
    DisableExternalCache on
  }}
  UDP {{
    IPv4_address {NODES[name]}
    IPv4_Destination_Address {peer}
    Port 3780
    Interface eth0
    Checksum on
  }}
}}
General {{
  HashSize 32768
  HashLimit 131072
  LockFile {folder}/conntrackd.lock
  UNIX {{
    Path {folder}/conntrackd.ctl
  }}
  NetlinkBufferSize 2097152
  NetlinkBufferSizeMaxGrowth 8388608
  Filter From Userspace {{
    Protocol Accept {{
      TCP
    }}
    Address Ignore {{
      IPv4_address 127.0.0.1
    }}
  }}
}}
"""
