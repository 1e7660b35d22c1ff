"""Asking a gateway on the loopback interface, with nobody on the wire."""

import errno
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from hapair.tracking.gateway import Gateway
from hapair.tracking.watch import Finding
from vrrp.config import Address
from vrrp.interfaces import Interface

GATEWAY = IPv4Address("127.0.0.9")
DEFAULT_ROUTE = "head\nlo 00000000 0900007F 0003 0 0 0 00000000\n"
DEFAULT_ROUTE_6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 31}1 00000000 0 0 00000003 lo\n"


class FakeAsker:
    """Answers as the test says."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, Address]] = []
        self.asked: list[tuple[Interface, Address]] = []
        self.closed = 0
        self.answers = True
        self.error: OSError | None = None

    def open(self, interface: str, address: Address) -> "FakeAsker":
        if self.error is not None:
            raise self.error
        self.opened.append((interface, address))
        return self

    def ask(self, interface: Interface, source: Address) -> None:
        self.asked.append((interface, source))

    async def next_answer(self) -> str:
        if not self.answers:
            await trio.sleep_forever()
        return "lo"

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def asker() -> FakeAsker:
    return FakeAsker()


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "route").write_text("head\n")
    (tmp_path / "ipv6_route").write_text("")
    return tmp_path


async def test_one_that_answers(asker: FakeAsker) -> None:
    gateway = Gateway("lo", 4, GATEWAY, ask=asker.open)
    assert await gateway.look(0.5) == Finding(True, "127.0.0.9 answers")
    assert asker.opened == [("lo", GATEWAY)]
    (interface, source) = asker.asked[0]
    assert (interface.name, interface.mac) == ("lo", bytes(6))
    assert source == IPv4Address("127.0.0.1")


async def test_one_that_does_not(asker: FakeAsker, autojump_clock: MockClock) -> None:
    asker.answers = False
    assert await Gateway("lo", 4, GATEWAY, ask=asker.open).look(0.5) == Finding(False, "127.0.0.9 does not answer")
    assert trio.current_time() == 0.5


async def test_the_default_route_is_looked_up_each_time(asker: FakeAsker, proc: Path) -> None:
    gateway = Gateway("lo", 4, None, ask=asker.open, proc=proc)
    assert await gateway.look(0.5) == Finding(False, "there is no default route by lo")
    (proc / "route").write_text(DEFAULT_ROUTE)
    assert await gateway.look(0.5) == Finding(True, "127.0.0.9 answers")
    assert await gateway.look(0.5) == Finding(True, "127.0.0.9 answers")
    assert (len(asker.opened), asker.closed) == (1, 0)
    (proc / "route").write_text(DEFAULT_ROUTE.replace("0900007F", "0800007F"))
    assert await gateway.look(0.5) == Finding(True, "127.0.0.8 answers")
    assert (len(asker.opened), asker.closed) == (2, 1)


async def test_the_default_route_of_the_other_family(asker: FakeAsker, proc: Path) -> None:
    (proc / "route").write_text(DEFAULT_ROUTE)
    gateway = Gateway("lo", 6, None, ask=asker.open, proc=proc)
    assert await gateway.look(0.5) == Finding(False, "there is no default route by lo")


async def test_an_interface_that_is_not_there(asker: FakeAsker) -> None:
    found = await Gateway("nothere0", 4, GATEWAY, ask=asker.open).look(0.5)
    assert found == Finding(False, "127.0.0.9 cannot be asked by nothere0: No such device")


async def test_where_asking_is_not_allowed(asker: FakeAsker) -> None:
    asker.error = PermissionError(errno.EPERM, "Operation not permitted")
    found = await Gateway("lo", 4, GATEWAY, ask=asker.open).look(0.5)
    assert found == Finding(False, "127.0.0.9 cannot be asked by lo: Operation not permitted")


async def test_a_bug_is_no_finding(asker: FakeAsker) -> None:
    asker.error = OSError(errno.EMFILE, "Too many open files")
    with pytest.raises(OSError, match="Too many open files"):
        await Gateway("lo", 4, GATEWAY, ask=asker.open).look(0.5)


async def test_it_can_be_closed_twice(asker: FakeAsker) -> None:
    gateway = Gateway("lo", 6, IPv6Address("::1"), ask=asker.open)
    await gateway.look(0.5)
    gateway.close()
    gateway.close()
    assert asker.closed == 1
