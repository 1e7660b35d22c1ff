"""The kernel's tables of routes."""

from ipaddress import IPv4Address, IPv6Address

from vrrp.routes import gateway_in_ipv6_route, gateway_in_route, gateways_in

# As on a little-endian machine.
ROUTE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t202\t00000000\t0\t0\t0
eth0\t00000000\t0201A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t202\t00FFFFFF\t0\t0\t0
eth1\t0000000A\t0100000A\t0003\t0\t0\t0\t000000FF\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
eth2\t00000000\t0105A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0
"""
IPV6_ROUTE = """\
20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000002 00000040 00000001 00000000 00450003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
"""  # noqa: E501


def test_the_default_route_with_the_lowest_metric() -> None:
    assert gateway_in_route(ROUTE, "eth0") == IPv4Address("192.168.1.2")
    assert gateway_in_ipv6_route(IPV6_ROUTE, "eth0") == IPv6Address("fe80::2")


def test_routes_that_lead_to_no_gateway() -> None:
    assert [gateway_in_route(ROUTE, name) for name in ("eth1", "ppp0", "eth2", "eth", "lo")] == [None] * 5
    assert gateway_in_ipv6_route(IPV6_ROUTE, "lo") is None


def test_empty_tables() -> None:
    assert gateway_in_route("", "eth0") is None
    assert gateway_in_ipv6_route("", "eth0") is None


def test_both_families_at_once() -> None:
    assert gateways_in(ROUTE, IPV6_ROUTE, "eth0") == (IPv4Address("192.168.1.2"), IPv6Address("fe80::2"))
    assert gateways_in(ROUTE, "", "eth0") == (IPv4Address("192.168.1.2"),)
    assert gateways_in("", "", "eth0") == ()
