"""Servers known by name, with a real dnsmasq whose answers change: what is asked, decided, checked and served."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from balancer.checks.runner import CheckRunner
from balancer.config import BalancerConfig, Check, Frontend, Pool, Server
from balancer.config_discovery import Resolve
from balancer.discovery import Discovery
from balancer.drivers import drive_from_trio
from balancer.engine import Engine
from balancer.fieldtypes import Endpoint
from balancer.listener import close_listeners, open_listeners
from balancer.reactor import Reactor
from balancer.resolution import Answer, Failure, Question
from balancer.resolver import look_up
from balancer.serverstate import ServerState
from balancer.slots import Slots
from tests.peers.programs import free_port, running

Program = Callable[[str], str]
WITHIN_S = 20.0


class Names:
    """A dnsmasq that knows what a hosts file has; SIGHUP has it read that anew. SRV records are its options."""

    def __init__(self, path: str, folder: Path, port: int) -> None:
        self.port, self._hosts, self._path, self._log = port, folder / "hosts", path, folder / "log"
        self.pid = 0
        self.know()

    def know(self, *lines: str) -> None:
        self._hosts.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
        if self.pid:
            os.kill(self.pid, signal.SIGHUP)

    def command(self) -> list[str]:
        return [
            *(self._path, "--keep-in-foreground", "--conf-file=/dev/null", f"--port={self.port}", "--pid-file="),
            *("--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts", "--user="),
            *("--local=/test/", f"--addn-hosts={self._hosts}", "--local-ttl=1"),
            "--srv-host=_http._tcp.svc.test,one.test,8001,10,30",
            "--srv-host=_http._tcp.svc.test,two.test,8002,20,1",
            "--srv-host=_http._tcp.svc.test,gone.test,8003,10,1",
        ]

    def resolve(self, **settings: float) -> Resolve:
        return Resolve(nameservers=(Endpoint("127.0.0.1", self.port),), **settings)  # type: ignore[arg-type]


@pytest.fixture
def names(program: Program, tmp_path: Path) -> Iterator[Names]:
    names = Names(program("dnsmasq"), tmp_path, free_port())
    names.know("127.0.0.2 app.test", "127.0.0.3 app.test", "127.0.0.4 one.test", "127.0.0.5 two.test")
    with running(names.command(), names.port, log=tmp_path / "log") as child:
        names.pid = child.pid
        yield names


async def test_addresses_services_and_what_there_is_not(names: Names) -> None:
    resolve = names.resolve(timeout_s=2.0)
    app = await look_up(Question(Endpoint("app.test", 80), resolve))
    assert isinstance(app, Answer)
    assert ([place.endpoint.host for place in app.places], app.ttl_s) == (["127.0.0.2", "127.0.0.3"], 1.0)

    services = await look_up(Question(Endpoint("_http._tcp.svc.test", 0), resolve))
    assert isinstance(services, Answer)
    assert [(str(place.endpoint), place.weight, place.backup) for place in services.places] == [
        ("127.0.0.4:8001", 30, False),
        ("127.0.0.5:8002", 1, True),
    ]
    assert await look_up(Question(Endpoint("gone.test", 80), resolve)) == Failure("NXDOMAIN: nobody knows gone.test")


async def test_a_nameserver_that_is_silent(names: Names) -> None:
    os.kill(names.pid, signal.SIGSTOP)
    try:
        answer = await look_up(Question(Endpoint("app.test", 80), names.resolve(timeout_s=0.5)))
    finally:
        os.kill(names.pid, signal.SIGCONT)
    assert answer == Failure("timeout: no answer for app.test within 0.5s")


class Rig:
    """A pool of two places for app.test behind a frontend; each server says its own address."""

    def __init__(self, names: Names) -> None:
        port = free_port()
        self.servers = {host: socket.create_server((host, port)) for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4")}
        app = Server(address=Endpoint("app.test", port), count=2)
        pool = Pool(
            servers={"app": app},
            check=Check(interval_s=0.5, timeout_s=0.4, rise=1, fall=1),
            resolve=names.resolve(interval_s=1.0, hold_s=0.0, timeout_s=1.0),
        )
        self.listen = Endpoint("127.0.0.1", free_port())
        frontend = Frontend(listen=(self.listen,), mode="tcp", pool="web")
        self.config = BalancerConfig(frontends={"main": frontend}, pools={"web": pool})
        self.reactor = Reactor()
        self.slots = Slots.create(self.config, 1)
        self.engine = Engine(self.reactor, self.slots, 0)
        self.checks = CheckRunner(self.config.pools, self._changed)
        self.discovery = Discovery(self.config.pools, self.checks.place)

    def _changed(self, pool: str, server: str, before: ServerState, after: ServerState) -> None:
        self.engine.set_standing(pool, server, after.standing(trio.current_time()))

    def start(self, nursery: trio.Nursery) -> None:
        doors = self.config.stream_frontends()
        self.listeners = open_listeners(doors, doors)
        self.engine.apply(self.config, self.listeners)
        for host, server in self.servers.items():
            nursery.start_soon(self._serve, host, trio.socket.from_stdlib_socket(server))
        nursery.start_soon(drive_from_trio, self.reactor)
        nursery.start_soon(self.checks.run)
        nursery.start_soon(self.discovery.run)

    async def _serve(self, host: str, server: trio.socket.SocketType) -> None:
        with server:
            while True:
                client, _ = await server.accept()
                with client:
                    try:
                        await client.send(host.encode())
                    except OSError:
                        continue  # a check has seen enough

    async def who_answers(self) -> set[str]:
        """Of a few connections in a row; nothing where there is no server."""
        found = set()
        for _ in range(4):
            try:
                stream = await trio.open_tcp_stream(self.listen.host, self.listen.port)
                async with stream:
                    found.add((await stream.receive_some(100)).decode())
            except (OSError, trio.BrokenResourceError):
                found.add("")
        return found - {""}

    async def until(self, *hosts: str) -> None:
        with trio.fail_after(WITHIN_S):
            while await self.who_answers() != set(hosts):  # noqa: ASYNC110 - who changes is another process
                await trio.sleep(0.05)

    def close(self) -> None:
        self.engine.close()
        close_listeners(self.listeners)
        self.slots.close()


async def test_servers_follow_their_name(names: Names) -> None:
    rig = Rig(names)
    names.know()  # at the start nobody knows it
    with trio.fail_after(WITHIN_S):
        while isinstance(await look_up(Question(Endpoint("app.test", 80), names.resolve(timeout_s=2.0))), Answer):  # noqa: ASYNC110
            await trio.sleep(0.05)
    async with trio.open_nursery() as nursery:
        rig.start(nursery)
        assert await rig.who_answers() == set()
        with trio.fail_after(WITHIN_S):
            while not (known := rig.checks.snapshot()["web"]["app1"]).resolution.startswith("NXDOMAIN"):  # noqa: ASYNC110
                await trio.sleep(0.05)
        assert (known.text, known.resolution) == ("MAINT (resolution)", "NXDOMAIN: nobody knows app.test")

        names.know("127.0.0.2 app.test", "127.0.0.3 app.test")
        await rig.until("127.0.0.2", "127.0.0.3")
        names.know("127.0.0.4 app.test", "127.0.0.3 app.test")
        await rig.until("127.0.0.3", "127.0.0.4")
        known = rig.checks.snapshot()["web"]["app1"]
        assert known.place is not None
        assert known.place.endpoint.host == "127.0.0.4"  # app2 stayed where it was
        assert known.last_result is not None

        names.know("127.0.0.3 app.test")
        await rig.until("127.0.0.3")
        lacking = "no address left: app.test has 1 address for 2 servers"
        assert rig.checks.snapshot()["web"]["app1"].resolution == lacking

        names.know()
        await rig.until()
        rig.close()
        nursery.cancel_scope.cancel()
