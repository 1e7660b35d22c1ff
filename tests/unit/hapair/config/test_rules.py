"""Rules that span several objects of the file."""

import pytest

from hapair.config import ConfigError, load_text

PAIR = """\
pair:
  nodes: {pi-a: 192.0.2.11, pi-b: 192.0.2.12}
  secret_file: pair.key
  port: 1339
"""
ROUTER = """\
virtual_routers:
  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24], priority: {pi-a: 200, pi-b: 100}}
"""
POOLS = """\
pools:
  web: {servers: {web1: "192.0.2.21:80"}}
  api: {servers: {api1: "192.0.2.31:80"}}
"""
WEB = """\
frontends:
  web: {listen: ["192.0.2.100:80"], pool: web, routes: [{path: /a, pool: api}]}
"""


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, "f")
    return str(caught.value).splitlines()


def warned(text: str) -> list[str]:
    return list(load_text(text).warnings)


def test_a_good_pair_is_not_warned_about() -> None:
    assert warned(PAIR + ROUTER + POOLS + WEB) == []


def test_an_unknown_pool_of_a_frontend_and_of_a_route() -> None:
    frontends = """\
frontends:
  web:
    listen: [":80"]
    pool: wbe
    routes:
      - {path: /v1/*, pool: api}
      - {path: /v2/*, pool: qqq}
"""
    assert said(PAIR + POOLS + frontends) == [
        "f:11:5: frontends.web.pool: there is no pool wbe; did you mean web?",
        "f:14:23: frontends.web.routes[1].pool: there is no pool qqq; valid here: api, web",
    ]


def test_a_pool_where_there_are_none() -> None:
    assert said(PAIR + 'frontends: {web: {listen: [":80"], pool: web}}\n') == [
        "f:5:36: frontends.web.pool: there is no pool web; the file has no pools"
    ]


def test_references_are_looked_at_beside_errors_of_type() -> None:
    assert said(PAIR + POOLS + 'frontends: {web: {listen: [":80"], mode: htp, pool: wbe}}\n') == [
        "f:8:36: frontends.web.mode: htp is not one of tcp, http, udp; did you mean http?",
        "f:8:47: frontends.web.pool: there is no pool wbe; did you mean web?",
    ]


def test_frontends_of_another_shape_break_nothing() -> None:
    assert said(PAIR + "frontends: {web: [1], api: {listen: 5, routes: {pool: x}, pool: [1]}}\n") == [
        "f:5:13: frontends.web: must be a table of keys and values",
        'f:5:29: frontends.api.listen: must be a list of address:port: write [":5"]',
        "f:5:40: frontends.api.routes: must be a list, for example [first, second]",
        "f:5:59: frontends.api.pool: must be text",
    ]


def test_an_unknown_node_in_a_per_node_table_and_one_that_is_left_out() -> None:
    router = """\
virtual_routers:
  lan:
    vrid: 51
    interface: {pi-a: eth0, pi-c: eth0}
    addresses: [192.0.2.100/24]
    priority: {pi-b: 100}
"""
    assert said(PAIR + router) == [
        "f:8:5: virtual_routers.lan.interface: says nothing for pi-b",
        "f:8:29: virtual_routers.lan.interface.pi-c: there is no node pi-c; did you mean pi-b?",
        "f:10:5: virtual_routers.lan.priority: says nothing for pi-a",
    ]


@pytest.mark.parametrize("key", ["interface", "priority"])
def test_a_per_node_table_that_is_empty_says_nothing_for_anyone(key: str) -> None:
    values = {"interface": "eth0", "priority": "100"} | {key: "{}"}
    router = f"""\
virtual_routers:
  lan:
    vrid: 51
    addresses: [192.0.2.100/24]
    interface: {values["interface"]}
    priority: {values["priority"]}
"""
    line = {"interface": 9, "priority": 10}[key]
    assert said(PAIR + router) == [f"f:{line}:5: virtual_routers.lan.{key}: says nothing for pi-a, pi-b"]


def test_nodes_are_not_missed_where_the_pair_itself_is_missing() -> None:
    assert said(ROUTER) == ["f:1:1: pair: is missing"]


@pytest.mark.parametrize("name", ["two words", "-dash", ".dot", "slash/ed", "ünï", "a" * 64, ""])
def test_a_name_that_would_not_do(name: str) -> None:
    message = "a name is made of letters, digits, _ . and -, at most 63"
    text = f'pair: {{nodes: {{"{name}": 192.0.2.1}}}}\npools: {{"{name}": {{servers: {{"{name}": "192.0.2.2:80"}}}}}}\n'
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    assert [(one.position.line, one.where, one.message) for one in caught.value.problems] == [
        (1, f"pair.nodes.{name}", message),
        (2, f"pools.{name}", message),
        (2, f"pools.{name}.servers.{name}", message),
    ]


def test_datagrams_and_connections_may_have_the_same_address() -> None:
    text = """\
pair: {nodes: {pi-a: 192.0.2.1}}
frontends:
  udp: {listen: ["192.0.2.100:53"], mode: udp, pool: dns}
  tcp: {listen: ["192.0.2.100:53"], mode: tcp, pool: dns}
pools: {dns: {servers: {one: "192.0.2.2:53"}}}
"""
    assert list(load_text(text).file.frontends) == ["udp", "tcp"]


@pytest.mark.parametrize("name", ["web", "web-1", "WEB_2", "www.example.org", "7", "a" * 63])
def test_a_name_that_does(name: str) -> None:
    text = f'pair: {{nodes: {{"{name}": 192.0.2.1}}}}\npools: {{"{name}": {{servers: {{"{name}": "192.0.2.2:80"}}}}}}\n'
    assert list(load_text(text).file.pools) == [name]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("192.0.2.100:80", "192.0.2.100:80", "192.0.2.100:80 is already listened on by frontend web"),
        ("[2001:db8::1]:80", "[2001:DB8:0::1]:80", "[2001:db8::1]:80 is already listened on by frontend web"),
        (":80", "192.0.2.100:80", "192.0.2.100:80 is already listened on by frontend web, as [::]:80"),
        ("192.0.2.100:80", ":80", "[::]:80 is already listened on by frontend web, as 192.0.2.100:80"),
        ("0.0.0.0:80", "192.0.2.100:80", "192.0.2.100:80 is already listened on by frontend web, as 0.0.0.0:80"),
        ("[::]:80", "0.0.0.0:80", "0.0.0.0:80 is already listened on by frontend web, as [::]:80"),
        (":80", "[2001:db8::1]:80", "[2001:db8::1]:80 is already listened on by frontend web, as [::]:80"),
    ],
)
def test_two_frontends_cannot_listen_on_the_same(first: str, second: str, message: str) -> None:
    frontends = f"""\
frontends:
  web: {{listen: ["{first}"], pool: web}}
  api: {{listen: ["192.0.2.5:1", "{second}"], pool: api}}
"""
    assert said(PAIR + POOLS + frontends) == [f"f:10:33: frontends.api.listen[1]: {message}"]


def test_a_range_of_ports_takes_each_of_them() -> None:
    def frontends(second: str) -> str:
        rest = "mode: tcp, plane: kernel, pool"
        web = f'{{listen: ["192.0.2.100:5000-5099"], {rest}: web}}'
        return PAIR + POOLS + f'frontends:\n  web: {web}\n  api: {{listen: ["192.0.2.100:{second}"], {rest}: api}}\n'

    assert load_text(frontends("5100-5101")).warnings == []
    [problem] = said(frontends("5099-5101"))
    assert problem.endswith("192.0.2.100:5099-5101 is already listened on by frontend web, as 192.0.2.100:5000-5099")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("192.0.2.100:80", "192.0.2.101:80"),
        ("192.0.2.100:80", "192.0.2.100:81"),
        (":80", "192.0.2.100:81"),
        ("0.0.0.0:80", "[2001:db8::1]:80"),
    ],
)
def test_two_frontends_may_listen_beside_each_other(first: str, second: str) -> None:
    frontends = (
        f'frontends: {{web: {{listen: ["{first}", "{second}"], pool: web, routes: [{{path: /a, pool: api}}]}}}}\n'
    )
    assert warned(PAIR + POOLS + frontends) == []


def test_one_vrid_serves_one_virtual_router_of_an_interface() -> None:
    routers = """\
virtual_routers:
  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24]}
  dmz: {vrid: 51, interface: {pi-a: eth1, pi-b: eth0}, addresses: [198.51.100.1/24]}
"""
    assert said(PAIR + routers) == ["f:7:9: virtual_routers.dmz.vrid: vrid 51 is already used by lan on eth0"]


def test_the_same_vrid_on_another_interface_is_another_virtual_router() -> None:
    routers = """\
virtual_routers:
  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24], priority: {pi-a: 2, pi-b: 1}}
  dmz: {vrid: 51, interface: eth1, addresses: [198.51.100.1/24], priority: {pi-a: 2, pi-b: 1}}
"""
    assert warned(PAIR + routers) == []


def test_a_vip_belongs_to_one_virtual_router() -> None:
    routers = """\
virtual_routers:
  lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24]}
  too: {vrid: 52, interface: eth0, addresses: [192.0.2.101/24, 192.0.2.100/32]}
"""
    assert said(PAIR + routers) == ["f:7:64: virtual_routers.too.addresses[1]: 192.0.2.100 already belongs to lan"]


def test_a_vip_is_no_node_s_own_address() -> None:
    router = "virtual_routers: {lan: {vrid: 51, interface: eth0, addresses: [192.0.2.12/24]}}\n"
    assert said(PAIR + router) == [
        "f:5:64: virtual_routers.lan.addresses[0]: "
        "192.0.2.12 is the address of node pi-b, whose priority must then be 255"
    ]


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("pair: {nodes: {solo: 192.0.2.1}}", ["pair.nodes has one node: nothing takes over when it fails"]),
        (PAIR + "virtual_routers: {lan: {vrid: 51, interface: eth0, addresses: [192.0.2.100/24]}}",
         ["virtual_routers.lan: equal priorities; the node with the higher address will be Active"]),
        (PAIR + ROUTER + POOLS
         + 'frontends: {web: {listen: ["192.0.2.11:80"], pool: web, routes: [{path: /a, pool: api}]}}',
         ["virtual_routers.lan: no frontend listens on its addresses"]),
        (PAIR + POOLS + 'frontends: {web: {listen: [":80"], pool: web}}', ["pools.api: no frontend uses it"]),
        (PAIR + ROUTER + POOLS + 'frontends: {web: {listen: [":80"], pool: web, routes: [{path: /a, pool: api}]}}', []),
        (PAIR + ROUTER, []),
    ],
)  # fmt: skip
def test_what_is_probably_not_meant_is_a_warning(text: str, warnings: list[str]) -> None:
    assert warned(text) == warnings


def test_an_address_owner_may_be_written() -> None:
    """RFC 9568 section 5.2.4: the router whose own address it is has priority 255."""
    router = "virtual_routers: {lan: {vrid: 51, interface: eth0, addresses: [192.0.2.12/24], "
    assert load_text(PAIR + router + "priority: {pi-a: 100, pi-b: 255}}}\n").file.virtual_routers.keys() == {"lan"}


def test_servers_that_are_not_verified() -> None:
    pools = """\
pools:
  web: {tls: {verify: false}, servers: {web1: "192.0.2.21:443"}}
  api: {tls: {ca: ca.pem}, servers: {api1: "192.0.2.31:443"}}
"""
    assert warned(PAIR + ROUTER + pools + WEB) == [
        "pools.web: tls.verify is false: whoever is on the way can read and change everything"
    ]


@pytest.mark.parametrize(("listen", "server"), [
    ("192.0.2.100:80", "192.0.2.100:80"),
    (":80", "192.0.2.100:80"),
    ("0.0.0.0:80", "192.0.2.11:80"),
])  # fmt: skip
def test_a_frontend_that_is_a_server_of_its_own_pool(listen: str, server: str) -> None:
    text = PAIR + ROUTER + f'frontends: {{web: {{listen: ["{listen}"], pool: web}}}}\n'
    pools = 'pools: {{web: {{servers: {{other: "192.0.2.21:80", one: "{}"}}}}}}\n'
    warning = f"pools.web.servers.one: frontend web itself listens at {server}: what is sent there comes back"
    assert warning in load_text(text + pools.format(server)).warnings
    for port in ("192.0.2.100:8080", "192.0.2.22:80"):
        assert not [one for one in load_text(text + pools.format(port)).warnings if "comes back" in one]
