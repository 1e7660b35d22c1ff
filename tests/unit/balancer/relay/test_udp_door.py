"""Whom a datagram is from, and what tells its flow from others."""

import socket

import pytest

from balancer.datagrams import open_datagram_sockets
from balancer.fieldtypes import Endpoint
from balancer.relay.udp_door import Door


def test_where_one_address_is_listened_on_a_flow_is_told_by_its_client() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as client:
        one.bind(("127.0.0.1", 0))
        client.bind(("127.0.0.1", 0))
        one.setblocking(False)
        door = Door(one)
        with pytest.raises(BlockingIOError):
            door.take()
        client.sendto(b"x", one.getsockname())
        assert door.take() == (b"x", client.getsockname(), client.getsockname(), ())


@pytest.mark.parametrize("listen", ["0.0.0.0", "::"])
def test_where_all_are_it_is_told_by_our_address_too(listen: str) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        [(one,)] = open_datagram_sockets([Endpoint(listen, client.getsockname()[1] ^ 1)], 1).values()
        door = Door(one)
        keys = []
        for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
            client.sendto(b"x", (address, one.getsockname()[1]))
            _, _, key, ancillary = door.take()
            assert ancillary != ()
            keys.append(key)
        assert keys[0] == keys[2] != keys[1]
        one.close()
