import errno

import pytest
import trio
from trio.testing import MockClock

from vrrp.liveness.testing import FakeCable


@pytest.fixture
def autojump_clock():
    return MockClock(autojump_threshold=0)


async def test_bytes_arrive_late_in_order_and_before_the_end(autojump_clock):
    ours, theirs = FakeCable(delay_s=0.5).join("a", "b")
    ours.send(b"one")
    ours.send(b"two")
    ours.close()
    assert theirs.receive(10) is None
    await theirs.wait_readable()
    assert trio.current_time() == 0.5
    assert [theirs.receive(2) for _ in range(5)] == [b"on", b"e", b"tw", b"o", b""]
    assert theirs.receive(2) == b""


async def test_a_cut_cable_delivers_when_healed(nursery, autojump_clock):
    cable = FakeCable(delay_s=0.5)
    ours, theirs = cable.join("a", "b")
    cable.cut()
    ours.send(b"one")
    with trio.move_on_after(5) as limit:
        await theirs.wait_readable()
    assert limit.cancelled_caught
    cable.heal()
    await theirs.wait_readable()
    assert theirs.receive(10) == b"one"


async def test_the_dead_end_only(autojump_clock):
    cable = FakeCable(delay_s=0.5)
    ours, theirs = cable.join("a", "b")
    cable.die("a")
    assert ours.send(b"from beyond") == 11
    await theirs.wait_readable()
    assert theirs.receive(10) == b""
    assert ours.receive(10) is None


async def test_full_and_failing(autojump_clock):
    ours, _ = FakeCable().join("a", "b")
    ours.full = True
    assert ours.send(b"one") == 0
    ours.drain()
    assert ours.send(b"one") == 3
    ours.fail(errno.ECONNRESET)
    await ours.wait_readable()
    with pytest.raises(ConnectionResetError):
        ours.receive(10)
