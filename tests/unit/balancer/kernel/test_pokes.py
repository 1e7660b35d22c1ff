"""What makes the ends of a flow speak: bytes of whole packets."""

from ipaddress import ip_address

from balancer.kernel.conntrack import TCP, UDP, Flow
from balancer.kernel.pokes import pokes


def flow(protocol: int, *addresses: str) -> Flow:
    client, vip, server = (ip_address(one).packed for one in addresses)
    return Flow(protocol, client, 40000, vip, 80, server, 8080, vip, 50000, 0, 60, None)


def test_both_ends_of_ipv4() -> None:
    to_client, to_server = pokes(flow(TCP, "192.0.2.7", "192.0.2.100", "192.0.2.21"))
    assert to_client.packet.hex() == (
        "450000280000000040060000c0000264c0000207"  # IP
        "00509c400000000000000000501200008ed60000"
    )
    assert to_server.packet.hex() == (
        "450000280000000040060000c0000264c0000215"  # IP
        "c3501f9000000000000000005002000048880000"
    )
    assert (to_client.to, to_server.to) == ("192.0.2.7", "192.0.2.21")


def test_both_ends_of_ipv6() -> None:
    to_client, to_server = pokes(flow(TCP, "2001:db8::7", "2001:db8::100", "2001:db8::21"))
    assert to_client.packet.hex() == (
        "600000000014064020010db800000000000000000000010020010db8000000000000000000000007"  # IP
        "00509c40000000000000000050120000b6c90000"
    )
    assert (to_client.to, to_server.to) == ("2001:db8::7", "2001:db8::21")
    assert to_server.packet.hex() == (
        "600000000014064020010db800000000000000000000010020010db8000000000000000000000021"  # IP
        "c3501f90000000000000000050020000706f0000"
    )


def test_udp_has_nobody_to_tell() -> None:
    assert list(pokes(flow(UDP, "192.0.2.7", "192.0.2.100", "192.0.2.21"))) == []
