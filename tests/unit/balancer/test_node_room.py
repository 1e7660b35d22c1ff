from dataclasses import dataclass

from balancer.node_room import NodeRoom


@dataclass
class Limited:
    max_connections: int


@dataclass
class Service:
    config: Limited


def test_a_frontend_has_no_more_room_than_its_node() -> None:
    service = Service(Limited(100))
    # five of its own elsewhere; of the node's ten, seven are taken by others
    room = NodeRoom(service, 10, elsewhere=lambda: 5, others=lambda: 7)
    assert 100 - room() == 3
    service.config = Limited(6)  # its own limit is the nearer one
    assert 6 - room() == 1
