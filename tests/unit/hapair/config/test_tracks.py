"""What stands under `track`."""

from ipaddress import IPv4Address

import pytest

from hapair.config import ConfigError, load_text
from hapair.config.tracks import (
    TrackedFile,
    TrackedGateway,
    TrackedInterface,
    TrackedPool,
    TrackedScript,
    TrackSection,
)

HEAD = """\
pair: {nodes: {pi-a: 192.0.2.11}}
pools: {web: {servers: {a: "192.0.2.21:80", b: "192.0.2.22:80"}}}
virtual_routers:
  lan:
    vrid: 51
    interface: eth0
    addresses: [192.0.2.100/24]
    track:
"""


def track(lines: str) -> TrackSection:
    return load_text(HEAD + "".join(f"      {line}\n" for line in lines.splitlines())).file.virtual_routers["lan"].track


def said(lines: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        track(lines)
    return [
        f"{problem.where.removeprefix('virtual_routers.lan.track.')}: {problem.message}"
        for problem in caught.value.problems
    ]


def test_everything_written_out() -> None:
    section = track(
        """\
interfaces:
  eth1: {weight: -50}
  wan: {interface: {pi-a: ppp0}}
scripts:
  dns: {command: [/usr/bin/dig, localhost], interval: 5s, timeout: 2s, rise: 1, fall: 4, weight: 10}
gateway: {address: 192.0.2.1, interval: 500ms, timeout: 100ms, rise: 3, fall: 4, weight: -1}
files:
  away: {path: /etc/away, expect: absent, interval: 250ms}
  load: {path: /run/load, expect: number}
pools:
  web: {at_least: 2, weight: -30}"""
    )
    assert section == TrackSection(
        interfaces={"eth1": TrackedInterface(weight=-50), "wan": TrackedInterface(interface={"pi-a": "ppp0"})},
        scripts={
            "dns": TrackedScript(
                command=("/usr/bin/dig", "localhost"), interval_s=5.0, timeout_s=2.0, rise=1, fall=4, weight=10
            )
        },
        gateway=TrackedGateway(
            address=IPv4Address("192.0.2.1"), interval_s=0.5, timeout_s=0.1, rise=3, fall=4, weight=-1
        ),
        files={
            "away": TrackedFile(path="/etc/away", expect="absent", interval_s=0.25),
            "load": TrackedFile(path="/run/load", expect="number"),
        },
        pools={"web": TrackedPool(at_least=2, weight=-30)},
    )


def test_the_short_forms() -> None:
    assert track("interfaces: [eth1]\ngateway: 192.0.2.1\npools: [web]") == TrackSection(
        interfaces={"eth1": TrackedInterface()},
        gateway=TrackedGateway(address=IPv4Address("192.0.2.1")),
        pools={"web": TrackedPool()},
    )
    assert track("gateway: {}").gateway == TrackedGateway(address=None)


def test_defaults() -> None:
    script = track("scripts: {x: {command: [/bin/true]}}").scripts["x"]
    assert (script.interval_s, script.timeout_s, script.rise, script.fall, script.weight) == (1.0, 1.0, 2, 2, None)
    assert (TrackedGateway().interval_s, TrackedGateway().timeout_s) == (1.0, 0.5)
    assert TrackedFile(path="/x").expect == "present"


@pytest.mark.parametrize("weight", ["0", "-254", "254"])
def test_a_weight_out_of_range(weight: str) -> None:
    message = "must be from -253 to 253 and not 0; leave it out for a gate"
    assert said(f"interfaces: {{eth1: {{weight: {weight}}}}}") == [f"interfaces.eth1.weight: {message}"]
    assert said(f"gateway: {{weight: {weight}}}") == [f"gateway.weight: {message}"]
    assert said(f"pools: {{web: {{weight: {weight}}}}}") == [f"pools.web.weight: {message}"]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("scripts: {x: {command: [true]}}", "scripts.x.command[0]: must be text"),
        ("scripts: {x: {command: []}}",
         "scripts.x.command: must begin with the whole path of a program, for example [/usr/local/bin/example, now]"),
        ("scripts: {x: {command: /bin/true}}", "scripts.x.command: must be a list: write [/bin/true]"),
        ("scripts: {x: {command: [/bin/true], interval: 50ms}}", "scripts.x.interval: must be from 100ms to 1h"),
        ("scripts: {x: {command: [/bin/true], timeout: 1ms}}", "scripts.x.timeout: must be from 10ms to 1h"),
        ("scripts: {x: {command: [/bin/true], timeout: 2h}}", "scripts.x.timeout: must be from 10ms to 1h"),
        ("scripts: {x: {command: [/bin/true], fall: 0}}", "scripts.x: rise and fall must be at least 1"),
        ("files: {x: {path: /x, interval: 2h}}", "files.x.interval: must be from 100ms to 1h"),
        ("files: {x: {path: x}}", "files.x.path: 'x' is not a whole path, for example /etc/hapair/away"),
        ("files: {x: {path: /x, expect: number, weight: 5}}",
         "files.x.weight: must be left out with expect: number, for the file says it"),
        ("pools: {web: {at_least: 0}}", "pools.web.at_least: must be at least 1"),
        ("pools: {web: {at_least: 3}}", "pools.web.at_least: pool web has 2 servers"),
        ("pools: [wbe]", "pools[0]: there is no pool wbe; did you mean web?"),
        ("pools: {wbe: {weight: 5}}", "pools.wbe: there is no pool wbe; did you mean web?"),
        ("interfaces: {wan: {interface: {pi-b: eth1}}}", "interfaces.wan.interface: says nothing for pi-a"),
        ("gateway: true",
         "gateway: must be a table of keys and values: address, fall, interval, rise, timeout, weight"),
        ("gateway: somewhere", "gateway: 'somewhere' is not an IP address"),
        ('scripts: {"two words": {command: [/bin/true]}}',
         "scripts.two words: a name is made of letters, digits, _ . and -, at most 63"),
        ("script: {}", "script: unknown key; did you mean scripts?"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem(lines: str, problem: str) -> None:
    assert problem in said(lines)
    assert len(said(lines)) <= 2


def test_a_name_that_stands_for_an_interface_is_one() -> None:
    with pytest.raises(ConfigError, match="'an uplink' is not a name of a network interface, for example eth0"):
        track('interfaces: ["an uplink"]')
