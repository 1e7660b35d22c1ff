"""Connections are taken, shared, limited, counted and let go."""

import os
import resource
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balancer.acceptor import BATCH, Acceptor
from balancer.causes import Cause
from balancer.config import ClientLimits
from balancer.failures import Disconnected
from balancer.fieldtypes import Endpoint
from balancer.limits import Layout, Limiter
from balancer.listener import open_listener
from balancer.reactor import Reactor
from balancer.service import FrontendService, Relay
from balancer.slots import OPEN, RESETS, SHED, Slots
from balancer.streams import Stream
from balancer.testing import FakeClock, config_for, service_for, settle


async def echo(service: FrontendService, stream: Stream) -> None:
    while data := await stream.receive():
        await stream.send_all(data)


async def broken(service: FrontendService, stream: Stream) -> None:
    if await stream.receive() == b"trip":
        raise ZeroDivisionError("a bug in a relay")
    await echo(service, stream)


class House:
    """One listening socket and as many acceptors as the test wants, each with a reactor of its own."""

    def __init__(self, clock: FakeClock) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.endpoint = Endpoint("127.0.0.1", probe.getsockname()[1])
        self.listening = open_listener(self.endpoint)
        self.config = config_for({"none": self.endpoint})
        self.slots = Slots.create(self.config, 1)
        self.reactors: list[Reactor] = []
        self.acceptors: list[Acceptor] = []
        self.clients: list[socket.socket] = []
        self.clock = clock
        self.open_elsewhere: Callable[[], int] = int

    def acceptor(
        self, relay: Relay = echo, *, max_connections: int = 100, limits: ClientLimits | None = None
    ) -> Acceptor:
        reactor = Reactor(clock=self.clock)
        self.reactors.append(reactor)
        config = config_for({"none": self.endpoint}, max_connections=max_connections)
        service = service_for(reactor, config, self.slots)
        if limits is not None:
            cells = memoryview(bytearray(8 * Layout.of(limits, 1).cells)).cast("Q")
            service.limiter = Limiter(limits, cells)
        service.open_elsewhere = self.open_elsewhere
        acceptor = Acceptor(service, [self.listening], relay=relay, worker=self.slots.worker(0))
        self.acceptors.append(acceptor)
        acceptor.start()
        settle(reactor)
        return acceptor

    def connect(self, count: int = 1) -> socket.socket:
        for _ in range(count):
            self.clients.append(socket.create_connection(("127.0.0.1", self.endpoint.port), 5))
        return self.clients[-1]

    def settle(self) -> None:
        for reactor in self.reactors:
            settle(reactor)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for acceptor in self.acceptors:
            acceptor.stop()
            acceptor.abort_all()
        self.settle()
        self.listening.close()
        for reactor in self.reactors:
            reactor.close()
        self.slots.close()


@pytest.fixture
def house(clock: FakeClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.close()


def test_a_connection_is_served_and_counted(house: House) -> None:
    acceptor = house.acceptor()
    client = house.connect()
    client.sendall(b"hello")
    house.settle()
    assert client.recv(100) == b"hello"
    assert house.slots.frontend_counts("main").open == 1
    client.shutdown(socket.SHUT_WR)
    house.settle()
    assert client.recv(100) == b""
    counts = house.slots.frontend_counts("main")
    assert (counts.open, counts.connections, counts.resets) == (0, 1, 0)
    assert acceptor.connections == set()


def test_what_other_workers_have_open_counts_too(house: House) -> None:
    elsewhere = [3]
    house.open_elsewhere = lambda: elsewhere[0]
    acceptor = house.acceptor(max_connections=4)
    house.connect(3)
    house.settle()
    assert len(acceptor.connections) == 1
    elsewhere[0] = 2
    acceptor.look()
    house.settle()
    assert len(acceptor.connections) == 2


def served(client: socket.socket) -> bool:
    """Whether a connection is open, rather than reset."""
    try:
        client.sendall(b"x")
        return client.recv(10) == b"x"
    except (ConnectionResetError, BrokenPipeError):
        return False


@pytest.mark.parametrize(
    ("limits", "cause"),
    [
        (ClientLimits(connections=2), Cause.TOO_MANY_CONNECTIONS),
        (ClientLimits(connection_rate=1.0, connection_burst=2), Cause.CONNECTING_TOO_FAST),
    ],
)
def test_a_client_that_wants_too_much_is_reset_at_once(house: House, limits: ClientLimits, cause: Cause) -> None:
    acceptor = house.acceptor(limits=limits)
    house.connect(3)
    house.settle()
    assert len(acceptor.connections) == 2
    assert not served(house.clients[2])
    assert house.slots.cause_counts("main") == {cause: 1}
    for client in house.clients[:2]:
        client.close()
    house.clock.now += 10.0
    house.settle()
    house.connect()
    house.settle()
    assert len(acceptor.connections) == 1


def test_a_client_that_is_not_allowed_is_reset_in_mode_tcp(house: House) -> None:
    acceptor = house.acceptor(limits=ClientLimits(allow=("192.0.2.0/24",)))
    client = house.connect()
    house.settle()
    assert acceptor.connections == set()
    assert not served(client)
    assert house.slots.cause_counts("main") == {Cause.DENIED: 1}


def test_a_bug_in_a_relay_resets_its_connection_and_no_other(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.acceptor(broken)
    tripping, other = house.connect(), house.connect()
    other.sendall(b"hello")
    house.settle()
    tripping.sendall(b"trip")
    house.settle()
    with pytest.raises(ConnectionResetError):
        tripping.recv(100)
    other.sendall(b"world")
    house.settle()
    assert other.recv(100) == b"world"
    assert house.reactors[0].bugs.count == 1
    assert "a bug in a relay" in caplog.text


def test_a_stream_failure_that_escapes_is_a_reset_and_no_bug(house: House) -> None:
    async def lose(service: FrontendService, stream: Stream) -> None:
        raise Disconnected(stream, 104)

    house.acceptor(lose)
    client = house.connect()
    house.settle()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert house.slots.frontend_counts("main").resets == 1
    assert house.reactors[0].bugs.count == 0


def test_beyond_the_limit_connections_wait_in_the_kernel(house: House) -> None:
    acceptor = house.acceptor(max_connections=2)
    house.connect(3)
    house.settle()
    assert len(acceptor.connections) == 2
    house.clients[-1].sendall(b"waiting")
    house.clients[0].close()
    house.settle()
    assert len(acceptor.connections) == 2
    assert house.clients[-1].recv(100) == b"waiting"


def test_a_full_worker_is_not_woken_in_anothers_stead(house: House) -> None:
    house.acceptor(max_connections=1)
    house.connect(1)
    house.settle()
    house.connect(1)
    assert not select.select([house.reactors[0].fileno()], [], [], 0)[0]


def test_another_worker_takes_what_a_full_one_leaves(house: House) -> None:
    full, other = house.acceptor(max_connections=1), house.acceptor(max_connections=10)
    house.connect(4)
    house.settle()
    assert (len(full.connections), len(other.connections)) == (1, 3)


def test_a_queue_is_taken_in_batches_that_others_can_share(house: House) -> None:
    one, other = house.acceptor(), house.acceptor()
    house.connect(3 * BATCH)
    for reactor in house.reactors:
        reactor.turn(1.0)
    assert (len(one.connections), len(other.connections)) == (BATCH, BATCH)
    house.settle()
    assert len(one.connections) + len(other.connections) == 3 * BATCH


def test_only_one_waiting_worker_is_woken_for_a_connection(house: House) -> None:
    house.acceptor()
    house.acceptor()
    waiting = [reactor.fileno() for reactor in house.reactors]
    house.connect()
    # With nobody inside epoll_wait the kernel marks every set; so only this is sure: the first takes it, none fails.
    assert select.select(waiting, [], [], 1)[0]
    house.settle()
    assert house.slots.frontend_counts("main").open == 1


WORKER = """
import select, socket, sys, time
listening = socket.socket(fileno=int(sys.argv[1]))
events = select.epoll()
events.register(listening, select.EPOLLIN | select.EPOLLEXCLUSIVE)
taken = [listening.accept()]
print("serving", flush=True)
events.poll()
sys.stdin.read()
"""


def test_a_worker_that_is_killed_takes_no_queued_connection_with_it(house: House) -> None:
    """It has taken one, and was woken for the others: those are in the kernel's queue, and that is not its own."""
    house.connect()
    fd = house.listening.fileno()
    worker = subprocess.Popen(
        [sys.executable, "-Sc", WORKER, str(fd)], pass_fds=[fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"serving\n"
    house.connect(5)
    worker.kill()
    worker.communicate()
    successor = house.acceptor()
    house.settle()
    assert len(successor.connections) == 5


def test_looking_finds_a_connection_that_another_was_woken_for(house: House) -> None:
    acceptor = house.acceptor()
    reactor = house.reactors[0]
    reactor.unwatch(house.listening.fileno())
    house.connect()
    house.settle()
    assert len(acceptor.connections) == 0
    acceptor.look()
    house.settle()
    assert len(acceptor.connections) == 1
    reactor.watch(house.listening.fileno(), _Nobody())


class _Nobody:
    def on_events(self, mask: int) -> None: ...


def test_without_descriptors_accepting_pauses_and_goes_on(house: House, caplog: pytest.LogCaptureFixture) -> None:
    acceptor = house.acceptor()
    house.connect()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        house.settle()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert house.slots.worker(0).get(SHED) == 1
    assert "accepting paused" in caplog.text
    assert len(acceptor.connections) == 0
    house.clock.now += 0.6
    house.settle()
    assert len(acceptor.connections) == 1


def test_a_stopped_acceptor_takes_no_more_and_keeps_what_it_has(house: House) -> None:
    acceptor = house.acceptor()
    client = house.connect()
    house.settle()
    acceptor.stop()
    house.connect()
    client.sendall(b"still here")
    house.settle()
    assert client.recv(100) == b"still here"
    assert len(acceptor.connections) == 1


def test_abort_all_resets_every_connection(house: House) -> None:
    acceptor = house.acceptor()
    house.connect(3)
    house.settle()
    acceptor.abort_all()
    house.settle()
    for client in house.clients:
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert house.slots.frontend(0, "main").get(OPEN) == 0
    assert house.slots.frontend(0, "main").get(RESETS) == 0


def test_close_idle_spares_who_is_busy(house: House) -> None:
    async def mark_idle(service: FrontendService, stream: Stream) -> None:
        stream.idle = await stream.receive() == b"idle"
        await stream.receive()

    acceptor = house.acceptor(mark_idle)
    idle, busy = house.connect(), house.connect()
    idle.sendall(b"idle")
    busy.sendall(b"busy")
    house.settle()
    acceptor.close_idle()
    house.settle()
    assert idle.recv(1) == b""
    assert len(acceptor.connections) == 1


def test_a_client_of_a_unix_socket_has_this_machines_address(clock: FakeClock, tmp_path: Path) -> None:
    seen = []

    async def look(service: FrontendService, stream: Stream) -> None:
        seen.append((stream.peername, stream.sockname))
        await echo(service, stream)

    endpoint = Endpoint.parse(f"unix:{tmp_path}/x.sock")
    config = config_for({"none": Endpoint("127.0.0.1", 1)}, listen=str(endpoint))
    slots, reactor = Slots.create(config, 1), Reactor(clock=clock)
    with open_listener(endpoint) as listening, socket.socket(socket.AF_UNIX) as client:
        acceptor = Acceptor(service_for(reactor, config, slots), [listening], relay=look, worker=slots.worker(0))
        acceptor.start()
        client.connect(endpoint.host)
        client.sendall(b"hello")
        client.settimeout(60)
        settle(reactor)
        assert client.recv(10) == b"hello"
        assert seen == [(("127.0.0.1", 0), ("127.0.0.1", 0))]
        acceptor.stop()
        acceptor.abort_all()
        settle(reactor)
    reactor.close()
    slots.close()
