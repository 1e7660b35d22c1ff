"""sock_diag: the request and the answer byte by byte, and the kernel's own answer about this machine."""

import socket
from ipaddress import ip_address

import pytest

from hapair.handover.flows import LIVING, STATES, bytecode, list_flows, parse, request
from hapair.handover.messages import Flow

LOOPBACK = ip_address("127.0.0.1")


def test_one_vip_accepts_at_the_end_of_the_code_and_rejects_beyond_it() -> None:
    assert bytecode([ip_address("10.0.0.1")]).hex() == "0710140002200000ffffffff0a000001"


def test_of_two_vips_the_first_jumps_over_the_second() -> None:
    first = "0710140002200000ffffffff0a00000101041400"
    assert bytecode([ip_address("10.0.0.1"), ip_address("10.0.0.2")]).hex() == (
        first + "0710140002200000ffffffff0a000002"
    )


def test_an_ipv6_vip_has_a_longer_condition() -> None:
    assert bytecode([ip_address("fd00::1")]).hex() == "071c20000a800000fffffffffd" + "00" * 14 + "01"


def test_a_request_is_a_dump_of_tcp_in_some_states() -> None:
    packet = request(socket.AF_INET, [ip_address("10.0.0.1")], (1, 3))
    assert packet[:16].hex() == "5c000000140001030100000000000000"
    assert packet[16:24].hex() == "020600000a000000"
    assert packet[72:76].hex() == "14000100"
    assert len(packet) == 0x5C


def test_an_answer_is_a_flow_with_this_machine_as_its_source() -> None:
    ports = "00509c40"
    ipv4 = bytes.fromhex("02010000" + ports + "0a000001" + "00" * 12 + "0a000032" + "00" * 12)
    assert parse(ipv4) == Flow(ip_address("10.0.0.50"), 40000, ip_address("10.0.0.1"), 80)
    ipv6 = bytes.fromhex("0a010000" + ports + "fd00" + "00" * 13 + "01" + "fd00" + "00" * 13 + "32")
    assert parse(ipv6) == Flow(ip_address("fd00::32"), 40000, ip_address("fd00::1"), 80)


def test_an_ipv4_client_of_an_ipv6_socket_is_an_ipv4_flow() -> None:
    mapped = "00" * 10 + "ffff"
    answer = bytes.fromhex("0a01000000509c40" + mapped + "0a000001" + mapped + "0a000032")
    assert parse(answer) == Flow(ip_address("10.0.0.50"), 40000, ip_address("10.0.0.1"), 80)


def test_an_end_that_only_the_other_side_owes_is_not_living() -> None:
    assert set(STATES) - set(LIVING) == {5}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_kernel_lists_accepted_and_waiting_connections_and_no_others(family: socket.AddressFamily) -> None:
    """IPv6: a socket that serves IPv4 clients too."""
    with socket.socket(family) as listening:
        listening.bind(("::" if family == socket.AF_INET6 else "127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        with (
            socket.create_connection(("127.0.0.1", port)) as waiting,
            socket.create_connection(("127.0.0.1", port)) as two,
        ):
            accepted = listening.accept()[0]
            found = [flow for flow in list_flows([ip_address("10.99.0.1"), LOOPBACK]) if flow.vip_port == port]
            assert {flow.client_port for flow in found} == {waiting.getsockname()[1], two.getsockname()[1]}
            assert {(flow.client, flow.vip) for flow in found} == {(LOOPBACK, LOOPBACK)}
            assert list_flows([ip_address("10.99.0.1"), ip_address("fd00::1")]) == []
            accepted.close()


def test_no_vips_have_no_flows() -> None:
    assert list_flows([]) == []
