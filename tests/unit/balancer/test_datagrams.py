"""UDP sockets: one for each worker, a taken port, whom a datagram was sent to, what the kernel lost."""

import os
import socket
from collections.abc import Callable

import pytest

from balancer import datagrams
from balancer.datagrams import (
    close_datagram_sockets,
    connected,
    in_groups_of,
    local_address,
    lost,
    open_datagram_sockets,
    receive_group,
)
from balancer.fieldtypes import Endpoint
from balancer.listener import ListenFailed
from balancer.sockets import Way

ON = socket.SOCK_DGRAM


def free_port() -> int:
    with socket.socket(socket.AF_INET, ON) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def sources(one: socket.socket) -> set[object]:
    found = set()
    try:
        while True:
            found.add(one.recvfrom(100)[1])
    except BlockingIOError:
        return found


def test_a_flow_stays_with_its_socket_and_each_gets_some() -> None:
    endpoint = Endpoint("127.0.0.1", free_port())
    opened = open_datagram_sockets([endpoint], 2)
    clients = [socket.socket(socket.AF_INET, ON) for _ in range(64)]
    rounds = []
    for _ in range(2):
        for client in clients:
            client.sendto(b"x", (endpoint.host, endpoint.port))
        rounds.append([sources(one) for one in opened[endpoint]])
    assert rounds[0] == rounds[1]
    assert all(len(part) > 5 for part in rounds[0])
    for client in clients:
        client.close()
    close_datagram_sockets(opened)


def test_what_comes_while_a_worker_is_dead_waits_for_its_successor() -> None:
    endpoint = Endpoint("127.0.0.1", free_port())
    opened = open_datagram_sockets([endpoint], 2)
    workers_copies = [one.dup() for one in opened[endpoint]]
    for copy in workers_copies:
        copy.close()  # as when the worker dies
    clients = [socket.socket(socket.AF_INET, ON) for _ in range(32)]
    for client in clients:
        client.sendto(b"x", (endpoint.host, endpoint.port))
        client.close()
    assert sum(len(sources(one)) for one in opened[endpoint]) == 32
    close_datagram_sockets(opened)


@pytest.mark.parametrize("reuse", [False, True])
def test_a_taken_port_names_its_owner_whatever_the_owner_allows(reuse: bool) -> None:
    with socket.socket(socket.AF_INET, ON) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse)
        thief.bind(("127.0.0.1", 0))
        endpoint = Endpoint("127.0.0.1", thief.getsockname()[1])
        with pytest.raises(ListenFailed, match=rf"the port is taken by python.*\(pid {os.getpid()}\)"):
            open_datagram_sockets([endpoint], 2)


def test_none_is_left_open_where_one_cannot_be() -> None:
    good = Endpoint("127.0.0.1", free_port())
    with socket.socket(socket.AF_INET, ON) as thief:
        thief.bind(("127.0.0.1", 0))
        with pytest.raises(ListenFailed):
            open_datagram_sockets([good, Endpoint("127.0.0.1", thief.getsockname()[1])], 2)
    close_datagram_sockets(open_datagram_sockets([good], 1))


@pytest.mark.parametrize("host", ["192.0.2.77", "2001:db8::77"])
def test_an_address_that_is_not_here_yet(host: str) -> None:
    endpoint = Endpoint(host, free_port())
    opened = open_datagram_sockets([endpoint], 1)
    assert opened[endpoint][0].getsockname()[0] == host
    close_datagram_sockets(opened)


@pytest.mark.parametrize(
    ("listen", "family", "asked"),
    [
        ("0.0.0.0", socket.AF_INET, "127.0.0.5"),
        ("::", socket.AF_INET, "127.0.0.5"),
        ("::", socket.AF_INET6, "::1"),
    ],
)
def test_a_reply_comes_from_the_address_that_was_asked(listen: str, family: socket.AddressFamily, asked: str) -> None:
    endpoint = Endpoint(listen, free_port())
    opened = open_datagram_sockets([endpoint], 1)
    with socket.socket(family, ON) as client:
        client.settimeout(60)
        client.sendto(b"who is there?", (asked, endpoint.port))
        data, received, _, address = opened[endpoint][0].recvmsg(100, datagrams.ANCILLARY_BYTES)
        opened[endpoint][0].sendmsg([data], local_address(received), 0, address)
        assert client.recvfrom(100)[1][:2] == (asked, endpoint.port)
    close_datagram_sockets(opened)


def test_control_data_of_other_kinds_names_no_address() -> None:
    assert local_address([(socket.SOL_SOCKET, 29, bytes(16))]) == ()


def test_the_interface_counts_for_link_local_addresses_alone() -> None:
    def reply_to(address: str) -> bytes:
        data = socket.inet_pton(socket.AF_INET6, address) + (7).to_bytes(4, "little")
        [(_, _, sent)] = local_address([(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, data)])
        return sent[16:]

    assert reply_to("fe80::1") == (7).to_bytes(4, "little")
    assert reply_to("2001:db8::1") == bytes(4)


def test_what_the_kernel_had_no_room_for_is_told() -> None:
    with socket.socket(socket.AF_INET, ON) as slow, socket.socket(socket.AF_INET, ON) as fast:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.bind(("127.0.0.1", 0))
        assert lost(slow) == 0
        for _ in range(20):
            fast.sendto(bytes(1000), slow.getsockname())
        assert 0 < lost(slow) < 20


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_socket_to_a_server_hears_that_nobody_is_there(host: str) -> None:
    one = connected(Endpoint(host, free_port()))
    one.send(b"hello?")
    with pytest.raises(ConnectionRefusedError):
        one.recv(100)
    one.close()


def test_a_source_address(make_socket: Callable[[], socket.socket]) -> None:
    server = make_socket()
    one = connected(Endpoint(*server.getsockname()), Way(source="127.0.0.9"))
    one.send(b"x")
    assert server.recvfrom(100)[1][0] == "127.0.0.9"
    one.close()


def test_a_socket_that_cannot_be_connected_is_closed() -> None:
    with pytest.raises(OSError, match=r"Network is unreachable|Permission denied"):
        connected(Endpoint("255.255.255.255", 9))


def test_datagrams_that_come_together_are_received_and_sent_together(make_socket: Callable[[], socket.socket]) -> None:
    sender, receiver = make_socket(), make_socket()
    datagrams.group(receiver, on=True)
    sender.sendmsg([bytes(2500)], in_groups_of(1000), 0, receiver.getsockname())
    assert receive_group(receiver) == (bytes(2500), 1000)
    sender.sendto(b"alone", receiver.getsockname())
    assert receive_group(receiver) == (b"alone", 5)
    datagrams.group(receiver, on=False)
    sender.sendmsg([bytes(2500)], in_groups_of(1000), 0, receiver.getsockname())
    assert [len(receiver.recv(5000)) for _ in range(3)] == [1000, 1000, 500]


@pytest.fixture
def make_socket():
    made = []

    def make() -> socket.socket:
        one = socket.socket(socket.AF_INET, ON)
        one.bind(("127.0.0.1", 0))
        one.settimeout(60)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
