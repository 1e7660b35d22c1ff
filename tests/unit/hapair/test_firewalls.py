"""What firewalls of others do with flows of the kernel plane, read from their rules."""

import pytest

from hapair.firewalls import Flow, Obstacle, advice, is_met, obstacles, tables_in

WEB, SIX = Flow("tcp", "192.0.2.21", 8080), Flow("tcp", "2001:db8::21", 8080)


def table(*rules: str, name: str = "inet filter", policy: str = "drop", others: str = "") -> str:
    hook = f"type filter hook forward priority filter; policy {policy};"
    body = "\n".join(f"\t\t{rule}" for rule in (hook, *rules))
    return f"table {name} {{\n\tchain FORWARD {{\n{body}\n\t}}\n{others}}}\n"


def chain(name: str, *rules: str) -> str:
    return f"\tchain {name} {{\n" + "".join(f"\t\t{rule}\n" for rule in rules) + "\t}\n"


def found(listed: str, *flows: Flow) -> list[Obstacle]:
    return list(obstacles(tables_in(listed), flows or (WEB, SIX)))


@pytest.mark.parametrize(
    ("conditions", "met"),
    [
        ("", True),
        ("counter packets 3 bytes 180", True),
        ('log prefix "[UFW BLOCK] "', True),
        ("ct status dnat", True),
        ("ct state established,related", False),
        ("ct state { established, related }", False),
        ("ct state established,related,new counter packets 0 bytes 0", True),
        ("ct state invalid", False),
        ('iifname "lo"', False),
        ('iifname "eth0"', None),
        ('iifname "eth0" ct state established', False),
        ("meta l4proto tcp", True),
        ("meta l4proto icmp icmp type echo-request", False),
        ("ip protocol 17", False),
        ("meta l4proto != tcp", False),
        ("ip daddr 192.0.2.0/24 tcp dport 8080", True),
        ("ip daddr 192.0.2.0/25 tcp dport 8000-8079", False),
        ("ip daddr != 192.0.2.21", False),
        ("udp dport 8080", False),
        ("tcp dport != 22", True),
        ("limit rate 3/minute burst 10 packets", None),
        ("ip daddr @allowed", None),
    ],
)
def test_conditions(conditions: str, met: bool | None) -> None:
    assert is_met(conditions, WEB) is met


def test_a_policy_that_drops_and_a_rule_that_does() -> None:
    [one] = found(table())
    assert (one.flows, one.fate.by) == ((WEB, SIX), "its policy is drop")
    assert found(table(policy="accept")) == []
    [one] = found(table("ct state established accept", "reject with icmpx admin-prohibited", policy="accept"))
    assert one.fate.by == "reject with icmpx admin-prohibited"


def test_what_accepts_before() -> None:
    assert found(table("ct status dnat accept", "drop")) == []
    assert found(table("jump own", "drop", others=chain("own", "return")))[0].fate.by == "drop"
    assert found(table("jump own", "drop", others=chain("own", "jump deeper") + chain("deeper", "accept"))) == []
    assert found(table("goto own", "accept", others=chain("own", "ct state invalid drop")))[0].fate.by == (
        "its policy is drop"
    )


def test_what_may_accept_is_told_and_what_may_drop_is_not() -> None:
    rule = 'iifname "eth0" oifname "eth1" accept'
    [one] = found(table(rule))
    assert one.fate.perhaps == rule
    [one] = found(table('iifname "eth0" jump own', others=chain("own", "tcp dport 8080 accept")))
    assert one.fate.perhaps == 'iifname "eth0" jump own'
    assert found(table('iifname "eth0" drop', policy="accept")) == []


def test_families_and_tables_that_do_not_matter() -> None:
    assert [one.flows for one in found(table(name="ip filter") + table(name="ip6 filter"))] == [(WEB,), (SIX,)]
    assert found(table(name="inet hapair") + table(name="bridge filter")) == []
    assert found(table().replace("hook forward", "hook input")) == []


def test_whose_it_is_and_what_is_to_be_typed() -> None:
    user = chain("DOCKER-USER", "counter packets 0 bytes 0 return")
    docker = found(table("jump DOCKER-USER", name="ip filter", others=user))[0]
    assert docker.table.owner == "Docker"
    assert advice(docker) == ["iptables -I DOCKER-USER -m conntrack --ctstate DNAT -j ACCEPT"]
    ufw = found(table("jump ufw-before-forward", name="ip6 filter", others=chain("ufw-before-forward")))[0]
    assert ufw.table.owner == "ufw"
    assert advice(ufw) == ["ufw route allow proto tcp to 2001:db8::21 port 8080"]
    firewalld = found(table("drop", name="inet firewalld"))[0]
    assert firewalld.table.owner == "firewalld"
    assert advice(firewalld) == ["nft insert rule inet firewalld FORWARD ct status dnat accept"]
    assert found(table())[0].table.owner == ""
