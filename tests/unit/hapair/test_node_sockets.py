"""The sockets of a node, before and after a reload."""

import socket
from pathlib import Path

import pytest

from balancer.fieldtypes import Endpoint
from balancer.listener import ListenFailed
from hapair.config import NodeConfig, load_text, node_view
from hapair.node_sockets import NodeSockets
from tests.peers.programs import free_port


def config(*listen: str, more: str = "", log: str = "") -> NodeConfig:
    written = ", ".join(f'"{one}"' for one in listen)
    text = f"""\
pair: {{nodes: {{pi-a: 192.0.2.11}}}}
frontends: {{web: {{listen: [{written}], pool: web{more}}}}}
pools: {{web: {{servers: {{one: "192.0.2.21:80"}}}}}}
{log}
"""
    return node_view(load_text(text), "pi-a")


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
    except ConnectionRefusedError:
        return False
    return True


def test_what_stays_is_the_same_socket_and_the_rest_is_opened_or_closed() -> None:
    one, two, three = free_port(), free_port(), free_port()
    first = config(f"127.0.0.1:{one}", f"127.0.0.1:{two}")
    second = config(f"127.0.0.1:{two}", f"127.0.0.1:{three}")
    before = NodeSockets.open(first)
    after = before.after(first, second)
    stays = Endpoint("127.0.0.1", two)
    assert after.listeners[stays] is before.listeners[stays]
    assert (connects(one), connects(two), connects(three)) == (True, True, True)
    before.close(but=after)
    assert (connects(one), connects(two), connects(three)) == (False, True, True)
    assert after.needed == 2
    after.close()
    assert not connects(two)


def test_every_address_and_one_of_them_change_places() -> None:
    port = free_port()
    everywhere, here = config(f":{port}"), config(f"127.0.0.1:{port}")
    before = NodeSockets.open(everywhere)
    after = before.after(everywhere, here)
    before.close(but=after)
    assert connects(port)
    again = after.after(here, everywhere)
    after.close(but=again)
    assert connects(port)
    again.close()


def test_a_listener_that_is_set_up_otherwise_is_another_and_there_is_no_gap() -> None:
    port = free_port()
    plain, other = config(f"127.0.0.1:{port}"), config(f"127.0.0.1:{port}", more=", tcp: {backlog: 7}")
    before = NodeSockets.open(plain)
    after = before.after(plain, other)
    (endpoint,) = after.listeners
    assert after.listeners[endpoint] is not before.listeners[endpoint]
    before.close(but=after)
    assert connects(port)
    after.close()


def test_a_port_that_is_taken_changes_nothing() -> None:
    one, new = free_port(), free_port()
    first = config(f"127.0.0.1:{one}")
    before = NodeSockets.open(first)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        second = config(f"127.0.0.1:{new}", f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ListenFailed):
            before.after(first, second)
    assert connects(one)
    assert not connects(new)
    before.close()


def test_logs_are_opened_and_closed(tmp_path: Path) -> None:
    port = free_port()
    first = config(f"127.0.0.1:{port}", log=f"access_log: {{format: httplog, to: {tmp_path}/a}}")
    second = config(f"127.0.0.1:{port}", log=f"access_log: {{format: httplog, to: {tmp_path}/b}}")
    before = NodeSockets.open(first)
    after = before.after(first, second)
    assert set(after.logs.fds) == {f"{tmp_path}/a", f"{tmp_path}/b"}
    after.keep_logs(second)
    assert set(after.logs.fds) == {f"{tmp_path}/b"}
    after.close()


def test_unix_sockets_are_given_to_others_in_place(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    first, second = config(f"unix:{path}"), config(f"unix:{path}", more=', unix: {mode: "0600"}')
    before = NodeSockets.open(first)
    after = before.after(first, second)
    assert after.listeners == before.listeners
    assert path.stat().st_mode & 0o777 == 0o600
    before.close(but=after)
    assert path.exists()
    after.close()
    assert not path.exists()
