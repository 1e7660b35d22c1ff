"""Listening sockets: both families, addresses that are not here yet, and errors that say what to do."""

import errno
import grp
import os
import socket
from pathlib import Path

import pytest

from balancer.config import Frontend, KeepAlive, ListenTcp, UnixFile
from balancer.fieldtypes import Endpoint
from balancer.listener import ListenFailed, close_listeners, open_listener, open_listeners, owner_of


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connects(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as caller:
        return caller.connect_ex((host, port)) == 0


def test_any_address_of_both_families() -> None:
    port = free_port()
    with open_listener(Endpoint.parse_listen(f":{port}")):
        assert connects("127.0.0.1", port)
        assert connects("::1", port)


def test_one_address_of_ipv6_is_not_ipv4() -> None:
    port = free_port()
    with open_listener(Endpoint("::1", port)), open_listener(Endpoint("127.0.0.1", port)):
        assert connects("::1", port)
        assert connects("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.77", "2001:db8::77"])
def test_an_address_that_is_not_here_yet(host: str) -> None:
    with open_listener(Endpoint(host, free_port())) as listener:
        assert listener.getsockname()[0] == host


def test_accepted_connections_inherit_nodelay() -> None:
    port = free_port()
    with open_listener(Endpoint("127.0.0.1", port)) as listener, socket.create_connection(("127.0.0.1", port)):
        accepted, _ = listener.accept()
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepted.close()


def test_listening_sockets_do_not_block() -> None:
    with open_listener(Endpoint("127.0.0.1", free_port())) as listener, pytest.raises(BlockingIOError):
        listener.accept()


def test_a_taken_port_names_its_owner() -> None:
    port = free_port()
    name = Path("/proc/self/comm").read_text().strip()
    with open_listener(Endpoint("127.0.0.1", port)), pytest.raises(ListenFailed) as caught:
        open_listener(Endpoint("127.0.0.1", port))
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port}: the port is taken by {name} (pid {os.getpid()}); "
        "stop it, or give another port in `listen`"
    )
    assert caught.value.endpoint == Endpoint("127.0.0.1", port)


def test_an_owner_on_all_addresses_is_found_for_one() -> None:
    port = free_port()
    with open_listener(Endpoint.parse_listen(f":{port}")):
        assert (owner_of(Endpoint("127.0.0.1", port)) or "").endswith(f"(pid {os.getpid()})")


def test_nobody_owns_a_free_port() -> None:
    assert owner_of(Endpoint("127.0.0.1", free_port())) is None


def test_when_one_cannot_be_opened_none_is() -> None:
    port, taken = free_port(), Endpoint("127.0.0.1", free_port())
    with open_listener(taken):
        with pytest.raises(ListenFailed):
            open_listeners([Endpoint("127.0.0.1", port), taken])
        assert not connects("127.0.0.1", port)


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "need CAP_NET_BIND_SERVICE"),
        (errno.EADDRNOTAVAIL, "is IPv6 switched off?"),
        (errno.EMFILE, "raise the limit"),
    ],
)
def test_each_failure_says_what_to_do(monkeypatch: pytest.MonkeyPatch, number: int, advice: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ListenFailed, match=advice.replace("?", r"\?")):
        open_listener(Endpoint("127.0.0.1", 80))


def test_an_unknown_failure_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EBADF, "bad")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(OSError, match="bad"):
        open_listener(Endpoint("127.0.0.1", 80))


def test_a_unix_socket_with_its_mode_replaces_one_that_nobody_listens_on(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    endpoint = Endpoint.parse(f"unix:{path}")
    group = grp.getgrgid(os.getgid()).gr_name
    for _ in range(2):
        with open_listener(endpoint, ListenTcp(), UnixFile(mode="0600", group=group)):
            assert path.stat().st_mode & 0o777 == 0o600
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
    assert path.exists()  # as after a crash
    listeners = open_listeners([endpoint])
    close_listeners(listeners)
    assert not path.exists()


def test_a_unix_socket_in_use_names_its_owner(tmp_path: Path) -> None:
    endpoint = Endpoint.parse(f"unix:{tmp_path}/x.sock")
    with open_listener(endpoint), pytest.raises(ListenFailed, match=rf"\(pid {os.getpid()}\) listens there; stop it"):
        open_listener(endpoint)


def test_a_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    (tmp_path / "x.sock").write_text("letters")
    with pytest.raises(ListenFailed, match="it is taken, or no socket"):
        open_listener(Endpoint.parse(f"unix:{tmp_path}/x.sock"))
    assert (tmp_path / "x.sock").read_text() == "letters"


@pytest.mark.parametrize(
    ("path", "unix", "words"),
    [
        ("none/x.sock", UnixFile(), "there is no such folder"),
        ("x.sock", UnixFile(user="nobody-of-that-name"), "no user or group of this machine is called"),
    ],
)
def test_unix_sockets_that_cannot_be(tmp_path: Path, path: str, unix: UnixFile, words: str) -> None:
    with pytest.raises(ListenFailed, match=words):
        open_listener(Endpoint.parse(f"unix:{tmp_path}/{path}"), ListenTcp(), unix)
    assert list(tmp_path.iterdir()) == []


def test_a_frontend_says_how_its_sockets_are_set_up() -> None:
    endpoint = Endpoint("127.0.0.1", free_port())
    frontend = Frontend(listen=(endpoint,), pool="web", tcp=ListenTcp(keep_alive=KeepAlive(idle_s=9.0)))
    listeners = open_listeners([endpoint], {endpoint: frontend})
    assert listeners[endpoint].getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 9
    close_listeners(listeners)
