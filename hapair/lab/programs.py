"""What runs on the nodes of a pair: hapair itself, or keepalived with HAProxy beside it for comparison."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hapair import __version__
from hapair.lab.entry import lab_environment
from hapair.lab.host import Host, parent_of
from vrrp.timers import active_down_interval, lease_length


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pair is to be: names, addresses and priorities; every program is told the same."""

    nodes: Mapping[str, str]
    """Name to own address."""
    priorities: Mapping[str, int]
    servers: Mapping[str, str]
    """Name to address, with port."""
    vip: str
    interval_ms: int = 100
    vrid: int = 51

    @property
    def preferred(self) -> str:
        """The node that is Active while all is well."""
        return max(self.priorities, key=lambda name: self.priorities[name])

    @property
    def active_down_s(self) -> float:
        """Active_Down_Interval of the node that takes over."""
        return active_down_interval(min(self.priorities.values()), self.interval_ms // 10)

    @property
    def lease_s(self) -> int:
        """How long the preferred node's kernel keeps a VIP that is not renewed."""
        return lease_length(self.priorities[self.preferred], self.interval_ms // 10)


class NodeProgram(Protocol):
    """A way to run a node."""

    name: str

    def versions(self) -> str:
        """What is run, with versions."""
        ...

    async def start(self, host: Host, plan: Plan) -> None:
        """Write its files on the host and start it."""
        ...

    def controllers(self, host: Host) -> list[int]:
        """The processes there that start and watch the others."""
        ...

    def announcers(self, host: Host) -> list[int]:
        """The processes there that speak VRRP."""
        ...


class Hapair:
    """The real thing: `hapair up`."""

    name = "hapair"

    def versions(self) -> str:
        return f"hapair {__version__}, Python {sys.version.split()[0]}"

    async def start(self, host: Host, plan: Plan) -> None:
        # Both nodes read one and the same file, as the guide tells people to have it.
        file = host.folder.parent / "hapair.yaml"
        file.write_text(hapair_yaml(plan))
        runtime = host.folder / "run"
        runtime.mkdir(exist_ok=True)
        await host.start([*hapair("up"), "--config", str(file), "--node", host.name, *at(host)], log="hapair.log")

    def controllers(self, host: Host) -> list[int]:
        return host.find("hapair", "up")

    def announcers(self, host: Host) -> list[int]:
        return host.find("hapair.announcer")


def hapair(verb: str) -> list[str]:
    """The command line of the program that this module is part of."""
    return [sys.executable, "-m", "hapair", verb]


def at(host: Host) -> list[str]:
    """The option that tells a command which of the lab's nodes is meant."""
    return ["--runtime-dir", str(host.folder / "run")]


def hapair_yaml(plan: Plan) -> str:
    """The file of a pair. JSON is YAML too: what is quoted there cannot be misread."""
    nodes, priorities = json.dumps(dict(plan.nodes)), json.dumps(dict(plan.priorities))
    servers = "\n".join(f'      {name}: "{address}"' for name, address in plan.servers.items())
    return f"""\
pair:
  nodes: {nodes}
virtual_routers:
  lan:
    vrid: {plan.vrid}
    interface: eth0
    addresses: ["{plan.vip}/24"]
    priority: {priorities}
    advertisement_interval: {plan.interval_ms}ms
frontends:
  web:
    listen: ["{plan.vip}:80"]
    mode: http
    pool: web
pools:
  web:
    check: {{http: "GET /healthz", interval: 500ms, timeout: 500ms, rise: 1, fall: 2}}
    servers:
{servers}
"""


class Keepalived:
    """keepalived for the VIP and HAProxy behind it, as two packages of the system."""

    name = "keepalived"

    def versions(self) -> str:
        keepalived = _first_line(["keepalived", "--version"])
        return f"{keepalived}, {_first_line(['haproxy', '-v'])}"

    async def start(self, host: Host, plan: Plan) -> None:
        await start_keepalived(host, plan)
        file = host.folder / "haproxy.cfg"
        file.write_text(haproxy_cfg(plan))
        await host.start(["haproxy", "-db", "-f", str(file)], log="haproxy.log")

    def controllers(self, host: Host) -> list[int]:
        return sorted(set(host.find("keepalived")) - set(self.announcers(host)))

    def announcers(self, host: Host) -> list[int]:
        both = host.find("keepalived")
        return [pid for pid in both if parent_of(pid) in both]


def missing_peer(*programs: str) -> str | None:
    """The line that says which of these programs to install; None where all are there."""
    path = lab_environment()["PATH"]
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    return f"{' and '.join(missing)} not installed: apt-get install {' '.join(missing)}" if missing else None


async def start_keepalived(host: Host, plan: Plan) -> None:
    """Run keepalived alone on a host."""
    file = host.folder / "keepalived.conf"
    file.write_text(keepalived_conf(plan, host.name))
    pids = ["-p", str(host.folder / "keepalived.pid"), "-r", str(host.folder / "keepalived-vrrp.pid")]
    await host.start(["keepalived", "-n", "-l", "-D", "-f", str(file), *pids], log="keepalived.log")


def keepalived_conf(plan: Plan, node: str) -> str:
    """keepalived's file for one node; VRRPv3, since it shares the LAN with hapair in the tests."""
    return f"""\
global_defs {{
  router_id {node}
  vrrp_version 3
}}
vrrp_instance lan {{
  state BACKUP
  interface eth0
  virtual_router_id {plan.vrid}
  priority {plan.priorities[node]}
  advert_int {plan.interval_ms / 1000}
  virtual_ipaddress {{
    {plan.vip}/32
  }}
}}
"""


def haproxy_cfg(plan: Plan) -> str:
    """HAProxy's file; it listens on every address, since the VIP comes and goes."""
    servers = "\n".join(f"  server {name} {address} check inter 500ms" for name, address in plan.servers.items())
    return f"""\
global
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
frontend web
  bind *:80
  default_backend web
backend web
  option httpchk GET /healthz
{servers}
"""


def _first_line(argv: Sequence[str]) -> str:
    result = subprocess.run(argv, check=False, capture_output=True, text=True, env=lab_environment())
    return (result.stdout + result.stderr).partition("\n")[0]
