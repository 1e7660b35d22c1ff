"""What is in the way of the kernel plane, in words."""

from dataclasses import replace

from balancer.config import Frontend, Pool, Server
from balancer.fieldtypes import Endpoint
from hapair import doctor
from hapair.doctor import Finding
from hapair.firewalls import Flow

LISTED = """\
table ip filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}

	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
}
table inet hapair {
	chain passing {
		type filter hook forward priority filter - 10; policy drop;
	}
}
"""


def test_settings() -> None:
    wanted = {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}
    assert list(doctor.settings(wanted, {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": None})) == [
        Finding(True, "net.ipv4.ip_forward is 1"),
        Finding(
            False,
            "net.ipv6.conf.all.forwarding is not there and must be 1: sysctl -w net.ipv6.conf.all.forwarding=1",
        ),
    ]


def test_what_was_changed() -> None:
    assert [one.words for one in doctor.changed({"net/ipv4/ip_forward": "0"})] == [
        "net.ipv4.ip_forward was 0 before hapair changed it, and will be again"
    ]


def test_a_chain_of_others_that_drops() -> None:
    flows = [Flow("tcp", "192.0.2.1", 80), Flow("udp", "192.0.2.1", 53)]
    [finding] = doctor.firewalls(LISTED, flows)
    assert finding == Finding(
        False,
        "the chain ip filter FORWARD drops what is forwarded by plane: kernel, tcp to 192.0.2.1:80 and 1 more "
        "(its policy is drop); type nft insert rule ip filter FORWARD ct status dnat accept",
    )
    assert not doctor.is_well([finding])
    assert list(doctor.firewalls("", flows)) == list(doctor.firewalls(LISTED, [])) == []
    assert doctor.is_well([])


def test_a_rule_that_may_accept_is_told() -> None:
    rule = 'iifname "eth0" tcp dport 80 accept'
    listed = LISTED.replace("policy drop;\n", f"policy drop;\n{rule}\n", 1)
    [finding] = doctor.firewalls(listed, [Flow("tcp", "192.0.2.1", 80)])
    assert f"(its policy is drop, unless this rule accepts it: {rule}); type nft" in finding.words


def test_what_is_forwarded() -> None:
    servers = {"a": Server(address=Endpoint("192.0.2.1", 80)), "b": Server(address=Endpoint("2001:db8::1", 80))}
    nat = Frontend(listen=(Endpoint("192.0.2.9", 80),), mode="udp", plane="kernel", pool="web")
    others = {"dsr": replace(nat, forward="dsr"), "proxied": replace(nat, plane="proxy")}
    assert doctor.kernel_flows({"nat": nat, "again": nat, **others}, {"web": Pool(servers=servers)}) == [
        Flow("udp", "192.0.2.1", 80),
        Flow("udp", "2001:db8::1", 80),
    ]


def test_what_servers_of_direct_server_return_need() -> None:
    listen = (Endpoint("192.0.2.100", 80), Endpoint("2001:db8::100", 80))
    direct = Frontend(listen=listen, mode="tcp", plane="kernel", forward="dsr", pool="web")
    nat = Frontend(listen=(Endpoint("192.0.2.9", 80),), mode="tcp", plane="kernel", pool="web")
    assert list(doctor.server_needs({"web": direct, "nat": nat}).lines()) == [
        "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
        "ip address add 192.0.2.100/32 dev lo",
        "ip address add 2001:db8::100/128 dev lo nodad",
    ]
    assert list(doctor.server_needs({"nat": nat}).lines()) == []
    assert doctor.ServerNeeds(("2001:db8::100",)).settings == {}


def test_a_node_is_no_server() -> None:
    nodes = {"pi-a": "192.0.2.11", "pi-b": "192.0.2.12"}
    assert doctor.not_a_server(nodes, {"192.0.2.21": "eth0"}) is None
    assert doctor.not_a_server(nodes, {"192.0.2.12": "eth0"}) == (
        "this machine has 192.0.2.12, so it is pi-b of the pair and no server: nothing was changed"
    )
