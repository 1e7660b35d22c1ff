"""Messages over a real socketpair: whole however cut, the newest of one key, descriptors with them."""

import os
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from hapair.channel import Channel, ChannelClosedError
from hapair.wire import WireError


@dataclass(frozen=True, slots=True)
class Note:
    text: str


@dataclass(frozen=True, slots=True)
class Bell:
    pass


KNOWN = (Note, Bell)


def frame(body: bytes, fds: int = 0) -> bytes:
    return struct.pack("!IH", len(body), fds) + body


NOTE = frame(b'{"type":"Note","body":{"text":"hello"}}')


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Channel, socket.socket]]:
    """A channel, and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours, KNOWN)
    with theirs:
        yield channel, theirs
        channel.close()


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Channel, Channel]]:
    """A channel's two ends; the first one sends."""
    ours, theirs = socket.socketpair()
    one, other = Channel(ours, KNOWN), Channel(theirs, KNOWN)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        yield one, other
        nursery.cancel_scope.cancel()
    one.close()
    other.close()


async def test_a_message_arrives(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    one.post(Note("hello"))
    assert await other.receive() == (Note("hello"), [])


async def test_messages_arrive_in_order(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    for text in ("a", "b", "c"):
        one.post(Note(text))
    assert [(await other.receive())[0].text for _ in range(3)] == ["a", "b", "c"]


async def test_equal_messages_without_a_key_all_arrive(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    for message in (Note("same"), Note("same"), Bell(), Bell()):
        one.post(message)
    assert [(await other.receive())[0] for _ in range(4)] == [Note("same"), Note("same"), Bell(), Bell()]


async def test_the_bytes_on_the_wire(ends: tuple[Channel, socket.socket]) -> None:
    channel, raw = ends
    channel.post(Note("hello"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.run)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert raw.recv(1000) == NOTE


@pytest.mark.parametrize("cut", range(1, len(NOTE)))
async def test_a_message_may_be_cut_anywhere(ends: tuple[Channel, socket.socket], cut: int) -> None:
    channel, raw = ends
    received = []

    async def receive() -> None:
        received.append(await channel.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        raw.sendall(NOTE[:cut])
        await wait_all_tasks_blocked()
        assert received == []
        raw.sendall(NOTE[cut:])
    assert received == [(Note("hello"), [])]


async def test_messages_may_come_glued_together(ends: tuple[Channel, socket.socket]) -> None:
    channel, raw = ends
    raw.sendall(NOTE * 3 + NOTE[:10])
    for _ in range(3):
        assert await channel.receive() == (Note("hello"), [])
    raw.sendall(NOTE[10:])
    assert await channel.receive() == (Note("hello"), [])


async def test_of_waiting_messages_with_one_key_the_newest_is_sent() -> None:
    ours, theirs = socket.socketpair()
    one, other = Channel(ours, KNOWN), Channel(theirs, KNOWN)
    for text in ("old", "older", "new"):
        one.post(Note(text), key="state")
    one.post(Note("other"), key=("other", 1))
    assert one.backlog == 2
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        assert (await other.receive())[0] == Note("new")
        assert (await other.receive())[0] == Note("other")
        assert one.backlog == 0
        nursery.cancel_scope.cancel()
    one.close()
    other.close()


async def test_a_reader_that_is_slow_sees_the_newest_state_and_no_queue() -> None:
    ours, theirs = socket.socketpair()
    one, other = Channel(ours, KNOWN), Channel(theirs, KNOWN)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        one.post(Note("x" * 4_000_000))  # more than the kernel buffers, so the sender waits
        await wait_all_tasks_blocked()
        for count in range(1000):
            one.post(Note(str(count)), key="beat")
        await wait_all_tasks_blocked()
        assert one.backlog == 1
        assert len((await other.receive())[0].text) == 4_000_000
        assert (await other.receive())[0] == Note("999")
        nursery.cancel_scope.cancel()
    one.close()
    other.close()


async def test_a_descriptor_comes_along_and_is_usable(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    reading, writing = os.pipe()
    one.post(Note("pipe"), fds=[writing])
    message, fds = await other.receive()
    os.close(writing)
    assert message == Note("pipe")
    assert len(fds) == 1
    assert not os.get_inheritable(fds[0])
    os.write(fds[0], b"through")
    os.close(fds[0])
    assert os.read(reading, 100) == b"through"
    assert os.read(reading, 100) == b""  # no copy was left anywhere
    os.close(reading)


async def test_as_many_descriptors_as_the_kernel_takes(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    fd = os.open("/dev/null", os.O_WRONLY)
    one.post(Bell(), fds=[fd] * 250)
    message, fds = await other.receive()
    assert message == Bell()
    assert len(fds) == 250
    for each in (fd, *fds):
        os.close(each)


async def test_descriptors_go_to_the_message_that_they_came_with() -> None:
    ours, theirs = socket.socketpair()
    one, other = Channel(ours, KNOWN), Channel(theirs, KNOWN)
    pipes = [os.pipe() for _ in range(3)]
    one.post(Note("none"))
    one.post(Note("first"), fds=[pipes[0][1]])
    one.post(Note("none again"))
    one.post(Note("two"), fds=[pipes[1][1], pipes[2][1]])
    received = {}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(one.run)
        await wait_all_tasks_blocked()  # all four lie in the kernel before the first is read
        for _ in range(4):
            message, fds = await other.receive()
            received[message.text] = fds
        nursery.cancel_scope.cancel()
    assert {text: len(fds) for text, fds in received.items()} == {"none": 0, "first": 1, "none again": 0, "two": 2}
    for fd, word in zip([*received["first"], *received["two"]], (b"0", b"1", b"2"), strict=True):
        os.write(fd, word)
        os.close(fd)
    assert [os.read(reading, 10) for reading, _ in pipes] == [b"0", b"1", b"2"]
    for reading, writing in pipes:
        os.close(reading)
        os.close(writing)
    one.close()
    other.close()


async def test_a_large_message_with_a_descriptor(pair: tuple[Channel, Channel]) -> None:
    one, other = pair
    fd = os.open("/dev/null", os.O_WRONLY)
    one.post(Note("x" * 1_000_000), fds=[fd])
    message, fds = await other.receive()
    assert (len(message.text), len(fds)) == (1_000_000, 1)
    for each in (fd, *fds):
        os.close(each)


async def test_end_of_file_is_an_end_and_says_so(ends: tuple[Channel, socket.socket]) -> None:
    channel, raw = ends
    raw.sendall(NOTE)
    raw.close()
    assert await channel.receive() == (Note("hello"), [])
    with pytest.raises(ChannelClosedError):
        await channel.receive()


async def test_end_of_file_within_a_message(ends: tuple[Channel, socket.socket]) -> None:
    channel, raw = ends
    raw.sendall(NOTE[:-1])
    raw.close()
    with pytest.raises(ChannelClosedError):
        await channel.receive()


async def test_an_end_that_leaves_with_unread_messages_is_closed_too(ends: tuple[Channel, socket.socket]) -> None:
    channel, raw = ends
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.run)
        channel.post(Note("unread"))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    raw.close()  # the kernel answers with a reset instead of end-of-file
    with pytest.raises(ChannelClosedError):
        await channel.receive()


async def test_sending_ends_quietly_when_the_other_end_is_gone(ends: tuple[Channel, socket.socket]) -> None:
    channel, raw = ends
    raw.close()
    channel.post(Note("to nobody"))
    with trio.fail_after(60):
        await channel.run()


async def test_sending_ends_quietly_when_the_other_end_goes_within_a_message(
    ends: tuple[Channel, socket.socket],
) -> None:
    channel, raw = ends
    channel.post(Note("x" * 4_000_000))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.run)
        await wait_all_tasks_blocked()
        raw.close()


async def test_a_close_by_the_channel_is_seen_at_the_other_end(ends: tuple[Channel, socket.socket]) -> None:
    channel, raw = ends
    channel.close()
    assert raw.recv(10) == b""


@pytest.mark.parametrize(
    "data",
    [
        frame(b"not json"),
        frame(b""),
        frame(b'{"type":"Stranger","body":{}}'),
        frame(b'{"type":"Note","body":{"text":5}}'),
        struct.pack("!IH", 16 * 1024 * 1024 + 1, 0),
        b"\xff" * 6,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["text", "empty", "unknown", "type", "oversize", "ones", "http"],
)
async def test_bytes_that_we_cannot_have_written_are_a_wire_error(
    ends: tuple[Channel, socket.socket], data: bytes
) -> None:
    channel, raw = ends
    raw.sendall(data)
    with pytest.raises(WireError), trio.fail_after(60):
        await channel.receive()


async def test_from_fd_keeps_the_descriptor_to_itself() -> None:
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    fd = theirs.detach()
    channel = Channel.from_fd(fd, KNOWN)
    assert not os.get_inheritable(fd)
    ours.sendall(NOTE)
    assert await channel.receive() == (Note("hello"), [])
    channel.close()
    ours.close()
