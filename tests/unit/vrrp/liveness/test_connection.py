import errno
from ipaddress import IPv4Address

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from vrrp.liveness.connection import Connection
from vrrp.liveness.frames import Advert, Bye, Hello, Message, encode
from vrrp.liveness.ports import LostCause
from vrrp.liveness.session import RejectReason, Role, Session
from vrrp.liveness.testing import FakeCable

SECRET = b"0123456789abcdef"
DIED, ENDED = LostCause.DIED, LostCause.ENDED


@pytest.fixture
def autojump_clock():
    return MockClock(autojump_threshold=0)


class Log:
    """What a connection tells, with the time."""

    def __init__(self):
        self.events = []
        self.on_open = None

    def opened(self, connection, hello):
        self.events.append(("up", hello.node))
        if self.on_open:
            self.on_open(connection)

    def heard(self, connection):
        self.events.append("heard")

    def received(self, connection, frame):
        self.events.append(frame)

    def closed(self, connection, ending):
        self.events.append((ending.cause, ending.detail))

    @property
    def but_heard(self):
        return [event for event in self.events if event != "heard"]


class End:
    """One end of a fake connection."""

    def __init__(self, name, wire, secret=SECRET):
        dials = name == "a"
        self.log, self.wire = Log(), wire
        self.session = Session(
            secret=secret,
            purpose="test",
            node=name,
            peer="b" if dials else "a",
            role=Role.DIALER if dials else Role.LISTENER,
            nonce=name.encode() * 32,
        )
        hello = Hello(node=name, epoch=1, incarnation=2)
        self.connection = Connection(wire, self.session, self.log, hello=hello, interval_s=0.1, silence_limit_s=1.0)
        self.ending = None
        self.gone_at = None

    async def run(self):
        self.ending = await self.connection.run()
        await self.connection.bid_farewell()
        self.gone_at = trio.current_time()


def ends(delay_s=0.01, **changes):
    cable = FakeCable(delay_s=delay_s)
    wires = cable.join("a", "b")
    return cable, End("a", wires[0], **changes), End("b", wires[1])


async def settled(*those):
    """Wait until both are up."""
    while any(end.connection.hello is None for end in those):  # noqa: ASYNC110
        await trio.sleep(0.001)


async def test_up_and_frames_both_ways(nursery, autojump_clock):
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    assert trio.current_time() == pytest.approx(0.04, abs=0.005)  # hello there, hello and proof, proof and Hello, Hello
    advert = Advert("lan", IPv4Address("192.0.2.1"), b"payload")
    assert a.connection.send(advert)
    assert b.connection.send(Message(b"back"))
    await trio.sleep(0.011)
    assert b.log.events == [("up", "a"), "heard", advert]
    assert a.log.events == [("up", "b"), "heard", Message(b"back")]
    nursery.cancel_scope.cancel()


async def test_signs_of_life_keep_it_up(nursery, autojump_clock):
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await trio.sleep(10.05)
    assert a.log.events == [("up", "b"), *["heard"] * 100]
    assert b.ending is None
    nursery.cancel_scope.cancel()


async def test_what_is_sent_from_the_observer_comes_after_the_introduction(nursery, autojump_clock):
    _, a, b = ends()
    for end in (a, b):
        end.log.on_open = lambda connection: connection.send(Message(b"at once"))
        nursery.start_soon(end.run)
    await trio.sleep(0.06)
    assert a.log.but_heard == [("up", "b"), Message(b"at once")]
    assert b.log.but_heard == [("up", "a"), Message(b"at once")]
    nursery.cancel_scope.cancel()


async def test_a_new_introduction_is_told(nursery, autojump_clock):
    _, a, b = ends()
    newer = Hello(node="a", epoch=1, incarnation=2, sources={"lan": IPv4Address("192.0.2.1")})
    newest = Hello(node="a", epoch=1, incarnation=2)
    a.connection.introduce(newer)
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    assert b.connection.hello == newer
    a.connection.introduce(newest)
    await trio.sleep(0.02)
    assert b.log.but_heard == [("up", "a"), newest]
    nursery.cancel_scope.cancel()


async def test_a_dead_process_is_known_at_once(nursery, autojump_clock):
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    b.wire.die()
    await trio.sleep(0.011)
    assert a.log.but_heard == [("up", "b"), (DIED, "end of file")]
    nursery.cancel_scope.cancel()


async def test_frames_before_the_end_of_a_dead_process_still_count(nursery, autojump_clock):
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    b.connection.send(Message(b"last words"))
    b.wire.die()
    await trio.sleep(0.011)
    assert a.log.but_heard == [("up", "b"), Message(b"last words"), (DIED, "end of file")]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ECONNRESET, DIED),
        (errno.ETIMEDOUT, ENDED),
        (errno.EHOSTUNREACH, ENDED),
        (errno.ENETUNREACH, ENDED),
    ],
)
async def test_errors(nursery, autojump_clock, number, cause):
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    a.wire.fail(number)
    await trio.sleep(0.011)
    assert a.ending.cause is cause
    assert a.ending.was_up
    nursery.cancel_scope.cancel()


async def test_silence_ends_it_after_the_limit_and_not_before_and_is_no_death(nursery, autojump_clock):
    cable, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    cut_at = trio.current_time()
    cable.cut()
    await trio.sleep_until(cut_at + 0.99)
    assert a.ending is None
    await trio.sleep_until(cut_at + 1.02)
    assert (a.ending.cause, a.ending.detail) == (ENDED, "nothing was heard for 1 s")
    assert b.ending.cause is ENDED
    nursery.cancel_scope.cancel()


async def test_one_that_gives_up_says_so_and_keeps_the_socket_until_the_other_must_have_given_up(
    nursery, autojump_clock
):
    """Closed at once, its kernel would answer with a reset, which reads as a death."""
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    a.connection.end(ENDED, "too late")
    await trio.sleep(0.011)
    assert b.log.but_heard == [("up", "a"), (ENDED, "the peer says: too late")]
    assert b.ending.cause is ENDED
    await trio.sleep(0.02)
    assert a.gone_at is not None
    assert b.gone_at is not None


async def test_a_farewell_ends_even_when_nobody_hears_it(nursery, autojump_clock):
    cable, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    cable.cut()
    ended_at = trio.current_time()
    a.connection.end(ENDED, "too late")
    await trio.sleep_until(ended_at + 1.9)
    assert a.gone_at is None
    await trio.sleep_until(ended_at + 2.1)
    assert a.gone_at is not None
    nursery.cancel_scope.cancel()


async def test_after_a_pause_what_is_in_the_queue_is_not_believed(nursery, autojump_clock):
    """Here: the loop itself comes late, and finds a sign of life and an end-of-file."""
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    await wait_all_tasks_blocked()
    b.connection.send(Message(b"old"))
    b.wire.die()
    autojump_clock.jump(1.5)
    await trio.sleep(0.02)
    assert a.log.but_heard == [("up", "b"), (ENDED, "nothing was heard for 1 s")]
    nursery.cancel_scope.cancel()


async def test_a_full_socket_drops_signs_of_life_keeps_the_rest_and_ends_at_last(nursery, autojump_clock):
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    a.wire.full = True
    assert a.connection.send(Message(b"one"))
    await trio.sleep(0.5)
    assert a.connection.send(Message(b"two"))
    assert len(a.connection._pending) == 76  # no sign of life between them
    a.wire.drain()
    await trio.sleep(0.011)
    assert b.log.but_heard == [("up", "a"), Message(b"one"), Message(b"two")]
    a.wire.full = True
    sent = 0
    while a.connection.send(Message(bytes(50_000))):
        sent += 1
    assert sent == 20
    assert a.log.but_heard == [("up", "b"), (ENDED, "the peer is too slow")]
    assert not a.connection.send(Message(b"late"))
    a.wire.drain()
    await trio.sleep(0.02)
    assert b.log.but_heard[-1] == (ENDED, "the peer says: the peer is too slow")


async def test_a_reset_while_sending_does_not_hide_a_goodbye(nursery, autojump_clock):
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    b.wire.send(b.session.seal(encode(Bye("stop"))))
    a.wire.error = errno.EPIPE
    a.connection.send(Message(b"anything"))
    await trio.sleep(0.011)
    assert a.log.but_heard == [("up", "b"), (ENDED, "the peer says: stop")]
    nursery.cancel_scope.cancel()


async def test_a_timeout_found_while_sending_is_no_death(nursery, autojump_clock):
    """The error is reported once: the reader would see nothing but an end-of-file."""
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    a.wire.error = errno.ETIMEDOUT
    assert not a.connection.send(Message(b"anything"))
    assert a.log.but_heard == [("up", "b"), (ENDED, "ETIMEDOUT")]
    nursery.cancel_scope.cancel()


async def test_leaving_says_goodbye(nursery, autojump_clock):
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    a.connection.leave("this node stops")
    await trio.sleep(0.011)
    assert b.log.but_heard == [("up", "a"), (ENDED, "the peer says: this node stops")]
    nursery.cancel_scope.cancel()


async def test_wrong_secret(nursery, autojump_clock):
    _, a, b = ends(secret=b"quite another secret")
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await trio.sleep(0.1)
    assert (b.ending.rejected, b.ending.was_up) == (RejectReason.PROOF, False)
    assert (a.ending.rejected, a.ending.was_up) == (RejectReason.INCOMPLETE, False)
    assert [event[0] for event in a.log.events] == [DIED]  # which the link does not count: it never was up


async def test_one_who_says_nothing(nursery, autojump_clock):
    _, _, b = ends()
    nursery.start_soon(b.run)
    await trio.sleep(1.99)
    assert b.ending is None
    await trio.sleep(0.02)
    assert b.ending.rejected is RejectReason.DEADLINE


async def test_one_who_knows_the_secret_and_does_not_introduce_itself(nursery, autojump_clock):
    _, a, b = ends()
    nursery.start_soon(b.run)
    await trio.sleep(0.001)
    for _ in range(2):
        a.wire.send(a.session.take_output())
        await trio.sleep(0.021)
        a.session.feed(a.wire.receive(2000))
        a.session.next_frame()
    a.wire.send(a.session.seal(encode(Message(b"me"))))
    await trio.sleep(0.02)
    assert b.log.events == [(ENDED, "frame: it does not introduce itself")]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("data", "reason"),
    [(bytes(34), RejectReason.MAC), (None, RejectReason.FRAME)],
)
async def test_refused_frames_end_it_and_are_no_death_on_either_side(nursery, autojump_clock, data, reason):
    _, a, b = ends()
    nursery.start_soon(a.run)
    nursery.start_soon(b.run)
    await settled(a, b)
    a.wire.send(data or a.session.seal(b"\xff"))
    await trio.sleep(0.03)
    assert (b.ending.cause, b.ending.rejected) == (ENDED, reason)
    assert a.ending.cause is ENDED
    assert a.log.but_heard[-1][1].startswith("the peer says: ")
