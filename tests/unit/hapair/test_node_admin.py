"""The admin server of a node, over real sockets on loopback."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from balancer.checks.runner import CheckRunner
from balancer.fieldtypes import Endpoint
from balancer.listener import ListenFailed, close_listeners
from hapair.admin.router import Request, Response, Route, text
from hapair.config.admin import AdminSection
from hapair.node_admin import NodeAdmin, open_admin
from tests.peers.programs import free_port
from tests.unit.hapair.admin.sample import NODE

OPERATOR = CheckRunner({}, lambda *_: None)


def section(port: int) -> AdminSection:
    return AdminSection(listen=(Endpoint("127.0.0.1", port),))


async def get(port: int, target: str) -> bytes:
    async with await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b"".join([piece async for piece in client])


async def page(request: Request) -> Response:
    return text(200, "a page of its own")


async def test_it_serves_its_surfaces_and_what_others_add() -> None:
    admin = section(free_port())
    listeners = open_admin(admin)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(NodeAdmin(lambda: NODE, OPERATOR, admin, listeners).run, [Route(path="/page", handler=page)])
        port = admin.listen[0].port
        assert (await get(port, "/readyz")).endswith(b"\r\n\r\nready\n")
        assert b"haproxy_process_uptime_seconds 100\n" in await get(port, "/metrics")
        assert b"\r\n\r\n# pxname,svname," in await get(port, "/haproxy?stats/;csv")
        assert (await get(port, "/page")).endswith(b"a page of its own")
        nursery.cancel_scope.cancel()
    close_listeners(listeners)


async def test_after_a_reload_it_listens_elsewhere() -> None:
    admin, later = section(free_port()), section(free_port())
    listeners = open_admin(admin)
    node = NodeAdmin(lambda: NODE, OPERATOR, admin, listeners)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.run)
        assert (await get(admin.listen[0].port, "/readyz")).endswith(b"ready\n")
        new = open_admin(later, listeners)
        node.reload(later, new)
        close_listeners(listeners)
        assert (await get(later.listen[0].port, "/readyz")).endswith(b"ready\n")
        with pytest.raises(OSError, match="all attempts to connect"):
            await get(admin.listen[0].port, "/readyz")
        nursery.cancel_scope.cancel()
    close_listeners(new)


async def test_without_a_section_rates_are_taken_all_the_same(autojump_clock: MockClock) -> None:
    looked: list[str] = []
    admin = NodeAdmin(lambda: NODE, OPERATOR, None, open_admin(None), looked=lambda node: looked.append(node.node))
    with trio.move_on_after(3):
        await admin.run()
    assert looked == ["pi-a"] * 3
    assert admin.rates.paces["frontend", "web"].open_max == 3


def test_a_port_that_is_taken_names_its_owner(tmp_path: Path) -> None:
    admin = section(free_port())
    (listener,) = open_admin(admin).values()
    with listener, pytest.raises(ListenFailed, match="the port is taken by"):
        open_admin(admin)
