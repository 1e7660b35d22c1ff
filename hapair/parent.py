"""A child's side of its channel to the node: heartbeats both ways, and the end of the node however it comes."""

import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Any

import trio

from hapair.channel import Channel, ChannelClosedError
from hapair.heartbeat import INTERVAL_S, Silence
from hapair.messages import Heartbeat

Handler = Callable[[Any, list[int]], Awaitable[None] | None]


class ParentGoneError(Exception):
    """The node process died or hangs; its words say which."""


def channel_from_arguments(known: Sequence[type]) -> Channel:
    """The channel whose descriptor is the first argument of this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the node hears it and says over the channel what to do
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return Channel.from_fd(int(sys.argv[1]), known)


async def follow(channel: Channel, handle: Handler, beat: Callable[[], object]) -> None:
    """Handle what the node says and send `beat()` every INTERVAL_S, until cancelled. Raises ParentGoneError."""
    now = trio.current_time()
    silence = Silence(now, now)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.run)
            nursery.start_soon(_beat, channel, beat, silence)
            nursery.start_soon(_receive, channel, handle, silence)
    except* ParentGoneError as group:
        raise ParentGoneError(str(group.exceptions[0])) from None


async def _beat(channel: Channel, beat: Callable[[], object], silence: Silence) -> None:
    while True:
        channel.post(beat(), key="beat")
        await trio.sleep(INTERVAL_S)
        if silence.is_too_long(trio.current_time()):
            raise ParentGoneError("the node process hangs")


async def _receive(channel: Channel, handle: Handler, silence: Silence) -> None:
    while True:
        try:
            message, fds = await channel.receive()
        except ChannelClosedError:
            raise ParentGoneError("the node process died") from None
        silence.heard(trio.current_time())
        if isinstance(message, Heartbeat):
            continue
        handled = handle(message, fds)
        if handled is not None:
            silence.heard(inf)  # while this end does what it was asked to do, it is not the node that is silent
            await handled
            silence.heard(trio.current_time())
