from dataclasses import replace

import pytest

from balancer.config import Server
from balancer.fieldtypes import Endpoint
from hapair.config import ConfigError, load_text
from hapair.config.pool_rules import obstacle

PAIR = "pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}\n"


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    return [f"{one.position.line}: {one.where}: {one.message}" for one in caught.value.problems]


def pools(*rows: str) -> str:
    return PAIR + "pools:\n" + "".join(f"  {row}\n" for row in rows)


def test_a_pool_that_is_fallen_back_on_exists() -> None:
    text = pools('web: {fallback: spar, servers: {a: "192.0.2.1:80"}}', 'spare: {servers: {b: "192.0.2.2:80"}}')
    assert said(text) == ["3: pools.web.fallback: there is no pool spar; did you mean spare?"]


def test_a_circle_of_fallbacks_is_told_once() -> None:
    servers = 'servers: {a: "192.0.2.1:80"}'
    rows = [f"{name}: {{fallback: {other}, {servers}}}" for name, other in ("ab", "bc", "cb", "dd")]
    assert said(pools(*rows)) == [
        "4: pools.b.fallback: leads back to itself: b -> c -> b",
        "6: pools.d.fallback: leads back to itself: d -> d",
    ]


def test_a_policy_that_reads_requests_needs_requests() -> None:
    text = pools(
        'db: {fallback: old, servers: {a: "192.0.2.1:80"}}',
        'old: {policy: uri_hash, servers: {b: "192.0.2.2:80"}}',
    )
    text += 'frontends: {db: {listen: [":1"], mode: tcp, pool: db}}\n'
    assert said(text) == ["4: pools.old.policy: reads a request, and frontend db is of mode tcp; source_hash would do"]
    assert load_text(text.replace("uri_hash", "source_hash")).warnings == []
    assert load_text(text.replace("mode: tcp", "mode: http")).warnings == []


def test_what_is_probably_not_meant() -> None:
    text = pools('web: {policy: first, use_all_backups: true, servers: {a: "192.0.2.1:80", b: "192.0.2.2:80"}}')
    text += 'frontends: {web: {listen: [":1"], pool: web}}\n'
    assert load_text(text).warnings == [
        "pools.web: policy first without max_connections sends everything to the first server",
        "pools.web: use_all_backups and no server is a backup",
    ]


def test_queues_are_for_servers_that_may_be_full() -> None:
    text = pools('web: {queue: {timeout: 1s}, servers: {a: {address: "192.0.2.1:80", max_queue: 5}}}')
    text += 'frontends: {web: {listen: [":1"], pool: web}}\n'
    assert load_text(text).warnings == [
        "pools.web: max_queue of a does nothing without max_connections",
        "pools.web: queue, and no server has max_connections",
    ]
    assert load_text(text.replace("max_queue", "max_connections: 1, max_queue")).warnings == []
    assert load_text(text.replace("queue: {t", "agent: {port: 1}, queue: {t")).warnings == []


def test_a_proxy_header_needs_a_connection() -> None:
    text = pools('dns: {send_proxy: v2, servers: {a: "192.0.2.1:53"}}')
    text += 'frontends: {dns: {listen: [":53"], mode: udp, pool: dns}}\n'
    assert said(text) == ["3: pools.dns.send_proxy: is for connections, and frontend dns is of mode udp"]


KERNEL = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
frontends: {db: {listen: ["192.0.2.100:80", "[2001:db8::100]:80"], mode: tcp, plane: kernel, pool: db}}
pools:
  db:
    policy: source_hash
    servers: {a: "192.0.2.1:80", b: "[2001:db8::1]:80"}
"""


def test_a_pool_behind_the_kernel_plane() -> None:
    assert load_text(KERNEL).warnings == []
    assert said(KERNEL.replace("source_hash", "first")) == [
        "5: pools.db.policy: the kernel knows round_robin, random and source_hash, and frontend db is of plane: kernel"
    ]
    assert said(KERNEL.replace(', b: "[2001:db8::1]:80"', "")) == [
        "2: frontends.db.listen[1]: pool db has no server with IPv6, and plane: kernel does not translate families"
    ]
    assert said(KERNEL.replace("192.0.2.1:80", "192.0.2.12:80")) == [
        "6: pools.db.servers.a: is on a node of the pair, and frontend db only forwards (plane: kernel); "
        "use plane: proxy"
    ]


def test_a_range_of_ports_needs_as_many_on_each_server() -> None:
    wide = KERNEL.replace(":80", ":5000-5099", 1).replace(', "[2001:db8::100]:80"', "")
    assert str(load_text(wide).file.frontends["db"].listen[0]) == "192.0.2.100:5000-5099"
    assert said(wide.replace("[2001:db8::1]:80", "192.0.2.2:81")) == [
        "6: pools.db.servers.b: must have port 80 as the others: frontend db has a range of ports"
    ]
    assert said(wide.replace("192.0.2.1:80", "192.0.2.1:65500").replace("]:80", "]:65500")) == [
        f"6: pools.db.servers.{name}: has no 100 ports from 65500 on, as 192.0.2.100:5000-5099 of db has"
        for name in ("a", "b")
    ]
    assert said(wide.replace("plane: kernel, ", "")) == [
        "2: frontends.db.listen: must name one port with each address; 192.0.2.100:5000-5099 needs plane: kernel"
    ]


DSR = """\
pair: {nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}}
virtual_routers: {lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24]}}
frontends:
  log: {listen: ["192.0.2.100:80"], mode: udp, plane: kernel, forward: dsr, pool: log}
  dns: {listen: ["192.0.2.100:53"], mode: udp, plane: kernel, forward: dsr, pool: dns}
pools:
  log: {policy: random, servers: {a: "192.0.2.1:80"}}
  dns: {policy: random, servers: {a: "192.0.2.1:53"}}
"""


def test_direct_server_return_keeps_ports_and_knows_the_lan() -> None:
    one_pool = "192.0.2.100 is served by UDP from pool log too, and with forward: dsr it must be one pool"
    assert said(DSR) == [f"5: frontends.dns.listen[0]: {one_pool}"]
    good = DSR.replace("udp", "tcp")
    assert load_text(good).file.frontends["dns"].forward == "dsr"
    assert said(good.replace("192.0.2.1:53", "192.0.2.1:54")) == [
        "8: pools.dns.servers.a: must have the port that frontend dns listens on: forward: dsr changes no port"
    ]
    assert load_text(good.replace("100:53", "100:50-59")).file.frontends["dns"].listen[0].ports == 10
    assert said(good.replace('"192.0.2.100:53"', '"192.0.2.9:53"')) == [
        "5: frontends.dns.listen[0]: must be an address of a virtual router: forward: dsr must know on which "
        "interface packets come"
    ]


def test_the_kernel_plane_takes_no_names() -> None:
    text = pools('dns: {servers: {a: "ns.internal:53"}}')
    text += 'frontends: {dns: {listen: ["192.0.2.100:53"], mode: udp, plane: kernel, pool: dns}}\n'
    assert (
        "3: pools.dns.servers: the kernel forwards to IP addresses that the file says, and a has ns.internal:53, "
        "and frontend dns is of plane: kernel"
    ) in said(text)


def test_a_cookie_needs_requests() -> None:
    text = pools('db: {persistence: {cookie: H}, servers: {a: "192.0.2.1:80"}}')
    text += 'frontends: {db: {listen: [":1"], mode: tcp, pool: db}}\n'
    assert said(text) == [
        "3: pools.db.persistence.cookie: is for requests, and frontend db is of mode tcp; source would do"
    ]
    assert load_text(text.replace("cookie: H", "source: {}")).warnings == []


def test_the_kernel_remembers_no_client() -> None:
    text = pools('db: {persistence: {source: {}}, servers: {a: "192.0.2.1:80"}}')
    text += 'frontends: {db: {listen: ["192.0.2.1:1"], mode: tcp, plane: kernel, pool: db}}\n'
    assert "it does nothing where the kernel moves the packets" in said(text)[0]


def test_whether_a_file_would_be_refused_with_other_pools() -> None:
    file = load_text(KERNEL).file
    assert obstacle(file) is None
    own = {**file.pools["db"].servers, "c": Server(address=Endpoint("192.0.2.12", 80))}
    assert obstacle(replace(file, pools={"db": replace(file.pools["db"], servers=own)})) == (
        "pools.db.servers.c: is on a node of the pair, and frontend db only forwards (plane: kernel); use plane: proxy"
    )
    empty = {"db": replace(file.pools["db"], servers={})}
    assert obstacle(replace(file, pools=empty)) == (
        "frontends.db.listen[0]: pool db has no server with IPv4, and plane: kernel does not translate families"
    )


def test_a_pool_has_a_server() -> None:
    assert said(pools("web: {servers: {}}")) == ["3: pools.web: a pool needs at least one server"]
