"""The files that the subjects of benchmarks/kernel.py are given. Pure."""

import json
from pathlib import Path

from hapair.lab.pair import NODES, VIP

SERVER, RETURNING = "192.168.1.21", "192.168.1.22"
"""The servers: one for all, one that returns directly."""
_NODE = NODES["pi-a"]
TARGETS = {
    "direct": (SERVER, 8080),
    "nat": (VIP, 8001),
    "dsr": (VIP, 8002),
    "proxy": (VIP, 8003),
    "haproxy": (_NODE, 8004),
    "nginx": (_NODE, 8005),
}
"""Where each subject listens."""


def of_node(folder: Path) -> dict[str, str]:
    """Text by file name: the three balancers of the node. `folder`: where nginx puts its pid."""
    return {"hapair.yaml": _HAPAIR, "haproxy.cfg": _HAPROXY, "stream.conf": _stream(folder)}


def web(folder: Path, own: Path) -> str:
    """nginx's file for a server; `folder` has what it serves, `own` takes its pid."""
    return (
        f"master_process off; error_log /dev/null; pid {own}/web.pid; worker_rlimit_nofile 15000;\n"
        "events { worker_connections 12000; }\n"
        "http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 600s;\n"
        f"server {{ listen 8080 backlog=4096; listen 8002 backlog=4096; root {folder}; }} }}\n"
    )


_HAPAIR = f"""\
pair:
  nodes: {json.dumps(NODES)}
  secret_file: pair.key
virtual_routers:
  lan:
    vrid: 51
    interface: eth0
    addresses: [{VIP}/24]
    priority: {{pi-a: 200, pi-b: 100}}
    hold_down: 0s
frontends:
  nat: {{listen: ["{VIP}:8001"], mode: tcp, plane: kernel, pool: web}}
  dsr: {{listen: ["{VIP}:8002"], mode: tcp, plane: kernel, forward: dsr, pool: same}}
  proxy: {{listen: ["{VIP}:8003"], mode: tcp, pool: web}}
pools:
  web: {{policy: random, servers: {{one: "{SERVER}:8080"}}}}
  same: {{policy: random, servers: {{two: "{RETURNING}:8002"}}}}
"""
_HAPROXY = f"""\
global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 300s
  timeout server 300s
listen main
  bind {_NODE}:8004 backlog 4096
  option splice-auto
  server one {SERVER}:8080
"""


def _stream(folder: Path) -> str:
    return (
        f"load_module modules/ngx_stream_module.so;\n"
        f"master_process off; error_log /dev/null; pid {folder}/stream.pid; worker_rlimit_nofile 15000;\n"
        "events { worker_connections 12000; }\n"
        f"stream {{ server {{ listen {_NODE}:8005 backlog=4096; proxy_pass {SERVER}:8080; }} }}\n"
    )
