"""Real TCP over the loopback interface."""

import socket
import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
import trio
import trio.testing

from vrrp.liveness.config import LinkConfig
from vrrp.liveness.frames import Advert, Message
from vrrp.liveness.link import LivenessLink
from vrrp.liveness.ports import LostCause
from vrrp.liveness.tcp import PortTakenError, TcpTransport, TcpWire, sockaddr

SECRET = b"0123456789abcdef"
A, B = IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2")
ADVERT = Advert("lan", A, b"payload")


class Observer:
    def __init__(self):
        self.events = []
        self.changed = trio.Event()

    def tell(self, event):
        self.events.append(event)
        self.changed.set()
        self.changed = trio.Event()

    def on_up(self, hello):
        self.tell(("up", hello.node))

    def on_frame(self, frame):
        self.tell(frame)

    def on_heard(self):
        pass

    def on_lost(self, cause):
        self.tell(cause)

    async def until(self, event):
        with trio.fail_after(60):
            while event not in self.events:
                await self.changed.wait()


def free_port(address="127.0.0.2", family=socket.AF_INET):
    with socket.socket(family) as sock:
        sock.bind((address, 0))
        return sock.getsockname()[1]


def config(port, *, node="a", **changes):
    own, other = (A, B) if node == "a" else (B, A)
    values = {
        "node": node,
        "peer": "b" if node == "a" else "a",
        "address": own,
        "peer_address": other,
        "port": port,
        "secret": SECRET,
        "interval_s": 0.05,
    }
    return LinkConfig(**(values | changes))


class Pair:
    """Two links in one process."""

    def __init__(self, **changes):
        port = free_port()
        self.seen = {name: Observer() for name in "ab"}
        self.links = {
            name: LivenessLink(config(port, node=name, **changes), observer=self.seen[name], epoch=1) for name in "ab"
        }
        self.scopes = {name: trio.CancelScope() for name in "ab"}
        self.port = port

    async def run(self, name):
        with self.scopes[name]:
            await self.links[name].run()

    async def up(self, nursery):
        nursery.start_soon(self.run, "b")
        nursery.start_soon(self.run, "a")
        await self.seen["a"].until(("up", "b"))
        await self.seen["b"].until(("up", "a"))

    def sock(self, name) -> socket.socket:
        return self.links[name]._current.wire._sock


async def test_up_frames_and_goodbye(nursery):
    pair = Pair()
    await pair.up(nursery)
    assert pair.links["a"].send(ADVERT)
    assert pair.links["b"].send(Message(bytes(60_000)))
    await pair.seen["b"].until(ADVERT)
    await pair.seen["a"].until(Message(bytes(60_000)))
    snapshot = pair.links["a"].snapshot()
    assert (snapshot.up, snapshot.peer, snapshot.peer_address, snapshot.lost) == (True, "b", "127.0.0.2", 0)
    assert 0 < snapshot.round_trip_s < 0.1
    pair.links["a"].leave("this node stops")
    await pair.seen["b"].until(LostCause.ENDED)
    assert LostCause.DIED not in pair.seen["b"].events
    assert pair.links["b"].snapshot().last_detail == "the peer says: this node stops"
    nursery.cancel_scope.cancel()


async def test_how_the_sockets_are_set(nursery):
    pair = Pair()
    await pair.up(nursery)
    for name in "ab":
        sock = pair.sock(name)
        assert sock.fileno() >= 1000
        assert not sock.get_inheritable()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0xC0
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == 6
    assert pair.sock("b").getpeername()[0] == "127.0.0.1"
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("victim", "survivor"), [("a", "b"), ("b", "a")])
async def test_end_of_file_is_a_death(nursery, victim, survivor):
    pair = Pair()
    await pair.up(nursery)
    pair.scopes[victim].cancel()
    await pair.seen[survivor].until(LostCause.DIED)
    assert pair.links[survivor].snapshot().last_detail in ("end of file", "Connection reset by peer")
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("victim", "survivor"), [("a", "b"), ("b", "a")])
async def test_reset_is_a_death(nursery, victim, survivor):
    pair = Pair()
    await pair.up(nursery)
    pair.sock(victim).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.scopes[victim].cancel()
    await pair.seen[survivor].until(LostCause.DIED)
    assert pair.links[survivor].snapshot().last_detail == "Connection reset by peer"
    nursery.cancel_scope.cancel()


async def test_strangers_do_not_disturb(nursery):
    pair = Pair()
    await pair.up(nursery)
    silent, foreign = socket.socket(), socket.socket()
    silent.bind(("127.0.0.1", 0))
    foreign.bind(("127.0.0.3", 0))
    with silent, foreign:
        silent.connect(("127.0.0.2", pair.port))
        foreign.connect(("127.0.0.2", pair.port))
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", bytes(100_000)):
            with socket.create_connection(("127.0.0.2", pair.port), source_address=("127.0.0.1", 0)) as sock:
                sock.sendall(garbage)
                with trio.fail_after(60):
                    while sum(pair.links["b"].snapshot().rejected.values()) < 1:
                        await trio.lowlevel.checkpoint()
        pair.links["a"].send(ADVERT)
        await pair.seen["b"].until(ADVERT)
    assert LostCause.ENDED not in pair.seen["a"].events + pair.seen["b"].events
    nursery.cancel_scope.cancel()


async def test_ipv6(nursery):
    address = IPv6Address("::1")
    port = free_port("::1", socket.AF_INET6)
    transport = TcpTransport()
    here = config(port, address=address, peer_address=IPv6Address("::2"))
    there = config(port, address=IPv6Address("::2"), peer_address=address)
    listener = transport.listen(here)
    own = object.__new__(LinkConfig)  # a link to itself, which no configuration allows: loopback has one IPv6 address
    for name, value in (("address", address), ("peer_address", address), ("port", port), ("interval_s", 1.0)):
        object.__setattr__(own, name, value)
    wire = await transport.dial(own)
    accepted, source = await listener.accept()
    assert source == address.packed
    assert wire._sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 0xC0
    transport.listen(there).close()  # an address that is not there: it listens all the same
    for one in (wire, accepted, listener):
        one.close()


async def test_it_listens_before_its_address_is_there():
    listener = TcpTransport().listen(config(free_port(), address=IPv4Address("203.0.113.77"), node="b", peer="a"))
    listener.close()


async def test_it_does_not_dial_before_its_address_is_there():
    with pytest.raises(OSError, match="Cannot assign requested address"):
        await TcpTransport().dial(config(free_port(), address=IPv4Address("203.0.113.77")))


async def test_nobody_listens():
    with pytest.raises(ConnectionRefusedError):
        await TcpTransport().dial(config(free_port()))


async def test_a_taken_port_names_itself():
    with socket.create_server(("127.0.0.2", 0)) as other:
        port = other.getsockname()[1]
        link = LivenessLink(config(port, node="b"), observer=Observer(), epoch=1)
        with (
            pytest.RaisesGroup(PortTakenError) if hasattr(pytest, "RaisesGroup") else pytest.raises(BaseExceptionGroup)
        ):
            await link.run()
        with pytest.raises(PortTakenError, match=f"another program listens on 127.0.0.2 port {port}, which the link"):
            TcpTransport().listen(config(port, node="b"))


async def test_a_wire_that_is_closed_wakes_its_reader(nursery):
    ours, theirs = socket.socketpair()
    wire = TcpWire.__new__(TcpWire)
    wire._sock = ours
    ours.setblocking(False)
    with theirs:
        nursery.start_soon(closes_soon, wire)
        with pytest.raises(trio.ClosedResourceError):
            await wire.wait_readable()
    wire.close()  # again: nothing


async def closes_soon(wire):
    await trio.testing.wait_all_tasks_blocked()
    wire.close()


async def test_a_farewell_to_one_that_resets(nursery):
    """The kernel refuses to end what has ended: that is no reason to crash."""
    pair = Pair()
    await pair.up(nursery)
    connection = pair.links["a"]._current
    pair.sock("b").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.scopes["b"].cancel()
    connection.end(LostCause.ENDED, "at the same time")
    await pair.seen["a"].until(LostCause.ENDED)
    with trio.fail_after(60):
        while connection.wire._sock.fileno() >= 0:  # noqa: ASYNC110
            await trio.sleep(0.001)
    nursery.cancel_scope.cancel()


async def test_finishing_what_was_reset():
    transport, port = TcpTransport(), free_port()
    listener = transport.listen(config(port, node="b"))
    wire = await transport.dial(config(port))
    accepted, _ = await listener.accept()
    accepted._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    accepted.close()
    await wire.wait_readable()
    with pytest.raises(ConnectionResetError):
        wire.receive(10)
    wire.finish_sending()
    wire.close()
    listener.close()


def test_socket_addresses():
    assert sockaddr(A, 1) == ("127.0.0.1", 1)
    assert sockaddr(IPv6Address("2001:db8::1"), 1) == ("2001:db8::1", 1, 0, 0)
    assert sockaddr(IPv6Address("fe80::1%7"), 1) == ("fe80::1", 1, 0, 7)
    assert sockaddr(IPv6Address("fe80::1%lo"), 1) == ("fe80::1", 1, 0, 1)
    with pytest.raises(OSError, match="no interface"):
        sockaddr(IPv6Address("fe80::1%nosuch"), 1)
