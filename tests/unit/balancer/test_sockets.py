"""Addresses of every kind, options as the kernel then tells them, sources, files that nobody listens on."""

import socket
from pathlib import Path

import pytest

from balancer.config import KeepAlive, ListenTcp, Pool, Server, ServerTcp
from balancer.fieldtypes import Endpoint
from balancer.sockets import (
    LOCAL,
    Way,
    address_of,
    family_of,
    listen_options,
    name_of,
    remove_stale,
    server_options,
    way_of,
)

SERVERS = {"one": Server(address=Endpoint("127.0.0.1", 80))}


@pytest.mark.parametrize(
    ("text", "family", "address"),
    [
        ("127.0.0.1:80", socket.AF_INET, ("127.0.0.1", 80)),
        ("[::1]:80", socket.AF_INET6, ("::1", 80)),
        ("[fe80::1%lo]:80", socket.AF_INET6, ("fe80::1", 80, 0, 1)),
        ("[fe80::1%7]:80", socket.AF_INET6, ("fe80::1", 80, 0, 7)),
        ("unix:/run/a:b.sock", socket.AF_UNIX, "/run/a:b.sock"),
    ],
)
def test_addresses(text: str, family: int, address: object) -> None:
    endpoint = Endpoint.parse(text)
    assert (family_of(endpoint), address_of(endpoint)) == (family, address)
    assert str(endpoint) == text


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(OSError, match="there is no interface none0"):
        address_of(Endpoint.parse("[fe80::1%none0]:80"))


def test_options_reach_connections_that_are_taken() -> None:
    tcp = ListenTcp(
        keep_alive=KeepAlive(idle_s=30.0, interval_s=7.0, count=3),
        user_timeout_s=2.5,
        defer_accept=True,
        fast_open=True,
        backlog=64,
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        for option in listen_options(tcp):
            listening.setsockopt(*option)
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) > 0
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN) == 64
        with socket.create_connection(listening.getsockname()) as client:
            client.sendall(b"x")
            taken, _ = listening.accept()
            with taken:
                assert keep_alive_of(taken) == (1, 30, 7, 3, 2500)


def keep_alive_of(one: socket.socket) -> tuple[int, ...]:
    tcp = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    first = one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return (first, *(one.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in tcp))


def test_nothing_said_is_no_option() -> None:
    assert listen_options(ListenTcp()) == ()
    assert server_options(ServerTcp()) == ()
    assert way_of(Pool(servers=SERVERS)) is None


def test_options_of_connections_to_servers() -> None:
    way = way_of(Pool(servers=SERVERS, tcp=ServerTcp(keep_alive=KeepAlive(), user_timeout_s=1.0, fast_open=True)))
    assert way is not None
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        way.prepare(one, Endpoint("127.0.0.1", 80), None)
        assert keep_alive_of(one) == (1, 60, 10, 5, 1000)
        assert one.getsockopt(socket.IPPROTO_TCP, 30) == 1


def test_a_source_is_for_servers_of_its_family() -> None:
    way = Way(source="127.0.0.9")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as one:
        way.prepare(one, Endpoint(*server.getsockname()), None)
        one.connect(server.getsockname())
        taken, peer = server.accept()
        taken.close()
        assert peer[0] == "127.0.0.9"
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as other:
        way.prepare(other, Endpoint("::1", 80), None)
        assert other.getsockname()[0] == "::"


def test_a_unix_socket_is_told_nothing() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        Way(((socket.IPPROTO_TCP, 1, 1),), "127.0.0.9", True).prepare(one, Endpoint("/run/x.sock", 0), "127.0.0.1")


def test_a_client_of_a_unix_socket_is_this_machine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "x.sock"))
        assert name_of(listening) == LOCAL == ("127.0.0.1", 0)


def test_only_a_socket_that_nobody_listens_on_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        assert not remove_stale(str(path))
    assert remove_stale(str(path))
    assert not path.exists()
    path.write_text("somebody's letters")
    assert not remove_stale(str(path))
    assert path.exists()
    assert not remove_stale(str(tmp_path / "nothing"))
