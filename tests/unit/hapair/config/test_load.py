"""From a file to its types, and what a person is told when that fails: literally."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from balancer.config import Check, Server
from balancer.fieldtypes import Endpoint
from hapair.config import ConfigError, load, load_text
from hapair.config.load import json_schema

GOLDEN = Path(__file__).parents[3] / "golden" / "config"

GOOD = """\
pair:
  nodes:
    pi-a: 192.0.2.11
    pi-b: 192.0.2.12
  secret_file: pair.key
virtual_routers:
  lan:
    vrid: 51
    interface: eth0
    addresses: [192.0.2.100/24]
    priority: {pi-a: 200, pi-b: 100}
frontends:
  web:
    listen: ["192.0.2.100:80"]
    pool: web
pools:
  web:
    check: {http: "GET /healthz", interval: 2s}
    servers:
      web1: 192.0.2.21:8080
      web2: {address: "192.0.2.22:8080", weight: 2}
"""


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, "f.yaml")
    return str(caught.value).splitlines()


def test_a_file_that_holds_together() -> None:
    loaded = load_text(GOOD)
    assert loaded.path == "hapair.yaml"
    assert loaded.warnings == []
    assert loaded.file.pair.nodes == {"pi-a": "192.0.2.11", "pi-b": "192.0.2.12"}
    assert loaded.file.virtual_routers["lan"].interface == {"*": "eth0"}
    assert loaded.file.virtual_routers["lan"].priority == {"pi-a": 200, "pi-b": 100}
    assert loaded.file.virtual_routers["lan"].interval_s == 0.1
    assert loaded.file.frontends["web"].listen == (Endpoint("192.0.2.100", 80),)
    assert loaded.file.pools["web"].check == Check(http="GET /healthz", interval_s=2.0)
    assert loaded.file.pools["web"].servers == {
        "web1": Server(address=Endpoint("192.0.2.21", 8080)),
        "web2": Server(address=Endpoint("192.0.2.22", 8080), weight=2),
    }
    assert loaded.file.workers == "auto"
    assert loaded.file.drain_s == 30.0


SERVER = "f.yaml:21:42: pools.web.servers.web2"


@pytest.mark.parametrize(
    ("written", "instead", "problem"),
    [
        ("weight: 2", "wieght: 2", f"{SERVER}.wieght: unknown key; did you mean weight?"),
        ("weight: 2", "weight: two", f"{SERVER}.weight: must be a whole number"),
        ("weight: 2", "weight: 2.0", f"{SERVER}.weight: must be a whole number"),
        ("weight: 2", 'weight: "2"', f"{SERVER}.weight: must be a whole number: write 2 without quotes"),
        ("weight: 2", "weight: true", f"{SERVER}.weight: must be a whole number"),
        ("weight: 2", "weight: [2]", f"{SERVER}.weight: must be a whole number"),
        ("weight: 2", f"weight: {'1' * 5000}", f"{SERVER}.weight: must be a whole number"),
        ("weight: 2", "weight: 999", f"{SERVER}.weight: must be from 0 to 256"),
        ("weight: 2", "backup: 1", f"{SERVER}.backup: must be true or false"),
        ("weight: 2", 'backup: "true"', f"{SERVER}.backup: must be true or false"),
        ("weight: 2", "weight: 2, weight: 3",
         "f.yaml:21:53: pools.web.servers.web2.weight: given twice; first in line 21"),
        ("weight: 2", "weight: 1_000",
         "f.yaml:21:50: pools.web.servers.web2.weight: 1_000 can be read in several ways; "
         'write a plain decimal number, or "1_000" in quotes for text'),
        ("weight: 2", "weight: 010",
         "f.yaml:21:50: pools.web.servers.web2.weight: 010 can be read in several ways; "
         'write a plain decimal number, or "010" in quotes for text'),
        ("interval: 2s", "interval: 12:30",
         "f.yaml:18:45: pools.web.check.interval: 12:30 can be read in several ways; "
         'write a plain decimal number, or "12:30" in quotes for text'),
        ("weight: 2", "backup: yes",
         "f.yaml:21:50: pools.web.servers.web2.backup: yes is not read as a truth value; "
         'write true or false, or "yes" in quotes for the word'),
        ("interval: 2s", "interval: 2 s",
         "f.yaml:18:35: pools.web.check.interval: '2 s' is not a duration; "
         "write a number and ms, s, m or h, for example 250ms"),
        ("interval: 2s", "interval: 2",
         "f.yaml:18:35: pools.web.check.interval: 2 has no unit; write for example 250ms"),
        ("interval: 2s", "interval: 1ms", "f.yaml:18:5: pools.web.check: intervals and timeout must be at least 10ms"),
        ("interval: 2s", "interval_s: 2s",
         "f.yaml:18:35: pools.web.check.interval_s: unknown key; did you mean interval?"),
        ("interval: 2s", "expect: 200-100",
         "f.yaml:18:5: pools.web.check: '200-100' is not a set of status codes; write for example 200-399 or 200,204"),
        ("    pool: web", "    pool: web\n    mode: htp",
         "f.yaml:16:5: frontends.web.mode: htp is not one of tcp, http, udp; did you mean http?"),
        ("    pool: web", "    pool: web\n    mode: zzz",
         "f.yaml:16:5: frontends.web.mode: zzz is not one of tcp, http, udp"),
        ("    pool: web", "    pool: web\n    mode: 1",
         "f.yaml:16:5: frontends.web.mode: 1 is not one of tcp, http, udp"),
        ("    pool: web", "    pool: web\n    http: {head: 64KB}",
         "f.yaml:16:12: frontends.web.http.head: '64KB' is not a size; "
         "write a whole number and B, KiB, MiB or GiB, for example 64KiB"),
        ("    pool: web", "    mode: tcp", "f.yaml:13:3: frontends.web: mode: tcp needs a pool"),
        ('["192.0.2.100:80"]', "192.0.2.100:80",
         'f.yaml:14:5: frontends.web.listen: must be a list: write ["192.0.2.100:80"]'),
        ('["192.0.2.100:80"]', "80",
         'f.yaml:14:5: frontends.web.listen: must be a list of address:port: write [":80"]'),
        ('["192.0.2.100:80"]', "1.5", "f.yaml:14:5: frontends.web.listen: must be a list, for example [first, second]"),
        ("    pool: web", "    pool: web\n    trusted_proxies: 10.0.0.0/8",
         "f.yaml:16:5: frontends.web.trusted_proxies: must be a list: write [10.0.0.0/8]"),
        ("    pool: web", "    pool: web\n    tls: site.pem",
         "f.yaml:16:5: frontends.web.tls: must be a table of keys and values: "
         "alpn, certificates, ciphers, client_ca, client_certificate, default, minimum_version, strict_sni"),
        ("    pool: web", "    pool: web\n    ssl: {}",
         "f.yaml:16:5: frontends.web.ssl: unknown key; did you mean tls?"),
        ("    pool: web", "    pool: web\n    set_headers: {X-A: b}",
         "f.yaml:16:5: frontends.web.set_headers: unknown key; did you mean set_headers of request, or of response?"),
        ('["192.0.2.100:80"]', '["192.0.2.100:0"]',
         "f.yaml:14:14: frontends.web.listen[0]: '0' is not a port; write a number from 1 to 65535"),
        ('["192.0.2.100:80"]', '["2001:db8::1:80"]',
         "f.yaml:14:14: frontends.web.listen[0]: '2001:db8::1:80': "
         "an IPv6 address and a port are written [2001:db8::1]:80"),
        ("web1: 192.0.2.21:8080", "web1: 192.0.2.21",
         "f.yaml:20:7: pools.web.servers.web1: '192.0.2.21' is not ADDRESS:PORT, "
         "for example 192.0.2.1:80 or [2001:db8::1]:80"),
        ("web1: 192.0.2.21:8080", "web1: 192.0.2.300:80",
         "f.yaml:20:7: pools.web.servers.web1: '192.0.2.300' in '192.0.2.300:80' is not an IP address"),
        ("web1: 192.0.2.21:8080", "web1: {weight: 1}",
         "f.yaml:20:7: pools.web.servers.web1: address is missing: where to connect to, "
         "or srv for what SRV records tell"),
        ("web1: 192.0.2.21:8080", "web1: 7",
         "f.yaml:20:7: pools.web.servers.web1: must be a table of keys and values: "
         "address, agent_address, agent_port, agent_send, backup, check, check_address, check_port, count, disabled, "
         "max_connections, max_queue, srv, weight"),
        ("web1: 192.0.2.21:8080", "web1:", "f.yaml:20:7: pools.web.servers.web1: must be a table of keys and values"),
        ("pools:", "drain: 5\npools:", "f.yaml:16:1: drain: 5 has no unit; write for example 250ms"),
        ("pools:", "workers: 0\npools:", "f.yaml:16:1: workers: must be auto or from 1 to 64"),
        ("pools:", "color: red\npools:",
         "f.yaml:16:1: color: unknown key; valid here: access_log, admin, drain, frontends, max_connections, "
         "notifications, pair, pools, runtime, virtual_routers, workers"),
        ("    pi-a: 192.0.2.11", "    pi-a: 11",
         "f.yaml:3:5: pair.nodes.pi-a: write it as text, for example 192.0.2.11"),
        ("    pi-a: 192.0.2.11", "    pi-a: pi-a.lan", "f.yaml:3:5: pair.nodes.pi-a: 'pi-a.lan' is not an IP address"),
        ("    pi-a: 192.0.2.11", "    pi-a: 192.0.2.12",
         "f.yaml:2:3: pair.nodes: must have an address each: two of them have the same one"),
        ("interval: 2s", "tcp: true", "f.yaml:18:35: pools.web.check.tcp: must be connect"),
        ("    pool: web", "    pool: web\n    mode: true",
         "f.yaml:16:5: frontends.web.mode: true is not one of tcp, http, udp"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_line(written: str, instead: str, problem: str) -> None:
    assert GOOD.count(written) == 1
    assert said(GOOD.replace(written, instead)) == [problem]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("pare: {nodes: {a: 192.0.2.1}}",
         ["f.yaml:1:1: pair: is missing", "f.yaml:1:1: pare: unknown key; did you mean pair?"]),
        ("- a\n- b", ["f.yaml:1:1: must be a table of keys and values"]),
        ("just words",
         ["f.yaml:1:1: must be a table of keys and values: "
          "access_log, admin, drain, frontends, max_connections, notifications, pair, pools, runtime, virtual_routers, "
          "workers"]),
        ("pair: {nodes: {}}", ["f.yaml:1:1: pair: name at least one node and its address"]),
        ("pair: [a]", ["f.yaml:1:1: pair: must be a table of keys and values"]),
        ("pair: {nodes: [a]}", ["f.yaml:1:8: pair.nodes: must be a table of names and values, "
                                "not a list: give each a name, and leave out the dashes"]),
        ("", ["f.yaml:1:1: the file is empty; `hapair schema` says what it can hold"]),
        ("a: [b", ["f.yaml:1:4: not YAML: the [ that begins here is not closed as it should be: "
                   "look for a missing ], comma or quote"]),
    ],
)  # fmt: skip
def test_a_file_of_another_shape(text: str, problems: list[str]) -> None:
    assert said(text) == problems


def test_everything_that_is_wrong_is_said_at_once_and_in_the_order_of_the_file() -> None:
    text = (GOLDEN / "broken.yaml").read_text(encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_text(text, "broken.yaml")
    if os.environ.get("HAPAIR_UPDATE_GOLDEN") == "1":
        (GOLDEN / "broken.txt").write_text(f"{caught.value}\n", encoding="utf-8")
    assert f"{caught.value}\n" == (GOLDEN / "broken.txt").read_text(encoding="utf-8")


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "hapair.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert load(path).path == str(path)


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.yaml")
    assert str(caught.value) == f"{tmp_path}/none.yaml:1:1: cannot be read: No such file or directory"


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert str(caught.value) == f"{tmp_path}:1:1: cannot be read: Is a directory"


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"pair: caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:1:1: is not UTF-8 text"


def tables_with_keys(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for one in schema.values():
            yield from tables_with_keys(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from tables_with_keys(one)


def test_every_table_of_the_schema_refuses_unknown_keys() -> None:
    tables = list(tables_with_keys(json_schema()))
    assert {table["title"] for table in tables} >= {
        *("hapair.yaml", "PairSection", "VirtualRouterSection", "Frontend", "Route", "Pool", "Server", "Check"),
    }
    assert [table["title"] for table in tables if table["additionalProperties"] is not False] == []


def test_the_schema_speaks_of_keys_as_they_stand_in_the_file() -> None:
    schema = json.loads(json.dumps(json_schema()))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == {
        "pair",
        "admin",
        "virtual_routers",
        "frontends",
        "max_connections",
        "notifications",
        "pools",
        "runtime",
        "workers",
        "drain",
        "access_log",
    }
    assert schema["required"] == ["pair"]
    assert {"interval", "timeout", "down_interval"} <= set(schema["$defs"]["Check"]["properties"])
    names = [name for table in tables_with_keys(schema) for name in table["properties"]]
    assert [name for name in names if name.endswith(("_s", "_bytes"))] == []


def test_the_schema_knows_durations_shorthands_and_per_node_tables() -> None:
    schema = json_schema()
    check = schema["$defs"]["Check"]["properties"]["interval"]
    assert check["type"] == "string"
    assert check["pattern"] == "^([0-9]+(?:\\.[0-9]+)?)(ms|s|m|h)$"
    server = schema["$defs"]["Pool"]["properties"]["servers"]["additionalProperties"]
    assert server["anyOf"][0] == {"type": "string"}
    assert set(server["anyOf"][1]["properties"]) == {
        *("address", "srv", "count", "weight", "max_connections", "max_queue", "backup"),
        *("check_address", "check_port", "agent_address", "agent_port", "agent_send", "check", "disabled"),
    }
    priority = schema["$defs"]["VirtualRouterSection"]["properties"]["priority"]["anyOf"]
    assert priority == [{"type": "integer"}, {"additionalProperties": {"type": "integer"}, "type": "object"}]


def test_the_schema_offers_no_default_that_the_file_would_refuse() -> None:
    check = json_schema()["$defs"]["Check"]["properties"]
    assert "default" not in check["interval"]
    assert check["rise"]["default"] == 2
    assert check["expect"]["default"] == "200-399"


@pytest.mark.parametrize(
    ("frontend", "line"),
    [
        (
            "{maintenance: {pge: x}}",
            "hapair.yaml:3:23: frontends.web.maintenance.pge: unknown key; did you mean page?",
        ),
        (
            "{routes: [{deny: 403, unless: {pth: /x}}]}",
            "hapair.yaml:3:39: frontends.web.routes[0].unless.pth: unknown key; did you mean path?",
        ),
        (
            "{routes: [{deny: 403, host: 5}]}",
            "hapair.yaml:3:30: frontends.web.routes[0].host: must be text",
        ),
    ],
)
def test_what_may_be_written_shorter_is_found_where_it_stands(frontend: str, line: str) -> None:
    text = f"pair: {{nodes: {{a: 192.0.2.1}}}}\nfrontends:\n  web: {frontend}\n"
    with pytest.raises(ConfigError) as refused:
        load_text(text)
    assert line in str(refused.value).splitlines()


HTTP2 = """\
pair: {nodes: {a: 192.0.2.1}}
frontends:
  web: {listen: ["127.0.0.1:80"], pool: web, http2: true}
pools:
  web: {servers: {one: "127.0.0.1:81"}}
"""


def test_http2_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_text(HTTP2).file.frontends["web"].http2 is not None
    monkeypatch.setitem(sys.modules, "h2", None)  # as where it is not installed
    with pytest.raises(ConfigError) as caught:
        load_text(HTTP2)
    [problem] = caught.value.problems
    assert problem.where == "frontends.web.http2"
    assert problem.message == "needs the package h2, which is not installed: pip install 'hapair[http2]'"


@pytest.mark.parametrize(
    ("servers", "where"),
    [
        ("{one: {srv: _http._tcp.app.internal}}", "pools.web.servers.one.srv"),
        ('{one: "app.internal:80"}, resolve: {nameservers: ["192.0.2.53:53"]}', "pools.web.resolve.nameservers"),
    ],
)
def test_srv_records_and_nameservers_need_their_package(
    monkeypatch: pytest.MonkeyPatch, servers: str, where: str
) -> None:
    text = f"pair: {{nodes: {{a: 192.0.2.1}}}}\npools:\n  web: {{servers: {servers}}}\n"
    load_text(text)
    monkeypatch.setitem(sys.modules, "dns", None)  # as where it is not installed
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    [problem] = caught.value.problems
    assert problem.where == where
    assert problem.message == "needs the package dnspython, which is not installed: pip install 'hapair[dns]'"
