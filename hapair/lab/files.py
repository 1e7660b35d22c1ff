"""The files that programs on the nodes are given: text from a plan. Pure."""

import json
from collections.abc import Iterator

from hapair.lab.plan import Plan

SECRET_FILE = "pair.key"  # noqa: S105 - its name, beside hapair.yaml


def hapair_yaml(plan: Plan) -> str:
    """The file of a pair. JSON is YAML too: what is quoted there cannot be misread."""
    router = "\n".join(f"    {line}" for line in _router_keys(plan))
    servers = "\n".join(f'      {name}: "{address}"' for name, address in plan.servers.items())
    listen = f"[{plan.vip}]" if plan.family == 6 else plan.vip
    secret = "" if plan.foreign else f"  secret_file: {SECRET_FILE}\n"
    return f"""\
pair:
  nodes: {json.dumps(dict(plan.nodes))}
{secret}virtual_routers:
  lan:
{router}
frontends:
  web:
    listen: ["{listen}:80"]
    mode: http
    pool: web
pools:
  web:
    check: {{http: "GET /healthz", interval: 500ms, timeout: 500ms, rise: 1, fall: 2}}
    servers:
{servers}
"""


def _router_keys(plan: Plan) -> Iterator[str]:
    yield f"vrid: {plan.vrid}"
    yield "interface: eth0"
    yield f"addresses: {json.dumps(plan.addresses)}"
    yield f"priority: {json.dumps(dict(plan.priorities))}"
    yield f"advertisement_interval: {plan.interval_ms}ms"
    yield "hold_down: 0s"  # nobody else speaks on this LAN: there is nothing to be heard before the first is Active
    if plan.foreign:
        yield "authenticate: false"
    if plan.version != 3:
        yield f"version: {plan.version}"
    if plan.password is not None:
        yield f"password: {json.dumps(plan.password)}"
    if plan.unicast:
        yield "peers: unicast"
    if plan.virtual_mac:
        yield "virtual_mac: true"
    if plan.checksum != "rfc5798":
        yield f"checksum: {plan.checksum}"


def keepalived_conf(plan: Plan, node: str) -> str:
    """keepalived's file for one node."""
    options = "\n".join(f"  {line}" for line in _keepalived_options(plan, node))
    vips = "\n".join(f"    {address}" for address in _keepalived_addresses(plan))
    return f"""\
global_defs {{
  router_id {node}
  vrrp_version {plan.version}
}}
vrrp_instance lan {{
  state BACKUP
  interface eth0
{options}
  virtual_ipaddress {{
{vips}
  }}
}}
"""


def _keepalived_options(plan: Plan, node: str) -> Iterator[str]:
    yield f"virtual_router_id {plan.vrid}"
    yield f"priority {plan.priorities[node]}"
    yield f"advert_int {plan.interval_ms / 1000:g}"
    if plan.password is not None:
        yield f"authentication {{\n    auth_type PASS\n    auth_pass {plan.password}\n  }}"
    if plan.unicast:
        yield f"unicast_src_ip {plan.nodes[node]}"
        yield f"unicast_peer {{\n    {plan.peer_of(node)}\n  }}"
    if plan.virtual_mac:
        yield f"use_vmac vrrp.{plan.vrid}"


def _keepalived_addresses(plan: Plan) -> Iterator[str]:
    # A VIP as hapair has it: of one host. keepalived wants the link-local one first, as the RFC does.
    for address in plan.addresses:
        yield f"{address.partition('/')[0]}/{32 if plan.family == 4 else 128}"


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


def vrrpd_conf(plan: Plan, node: str) -> str:
    """FRR's vrrpd for one node; the virtual router's macvlan interface is not its business."""
    family = "ip" if plan.family == 4 else "ipv6"
    vips = "\n".join(f" vrrp {plan.vrid} {family} {address.partition('/')[0]}" for address in plan.addresses)
    return f"""\
hostname {node}
log stdout
interface eth0
 vrrp {plan.vrid} version {plan.version}
 vrrp {plan.vrid} priority {plan.priorities[node]}
 vrrp {plan.vrid} advertisement-interval {plan.interval_ms}
{vips}
"""
