"""Who gives a reactor its turns: trio, as one of its tasks, or the reactor's own loop, with trio as its guest.

A trio task is the simple way, and what tests and small programs use. As guest trio waits for its own descriptors in a
helper thread, and the reactor's wait for events is the only one on the data path: half the latency that a proxied
request adds at low load, and no trio scheduling at all while there is nothing for trio to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, TypeVar

import trio

from balancer.reactor import BUDGET_S, Reactor

T = TypeVar("T")


async def drive_from_trio(reactor: Reactor) -> None:
    """Give the reactor its turns for ever: a task for a nursery."""
    while True:
        wait_s = reactor.wait_s()
        if wait_s == 0:
            await trio.lowlevel.checkpoint()
        else:
            with trio.move_on_after(wait_s):
                await trio.lowlevel.wait_readable(reactor.fileno())
        ends_at = trio.current_time() + BUDGET_S
        while reactor.turn() and trio.current_time() < ends_at:
            pass


def run_with_trio_as_guest(reactor: Reactor, main: Callable[..., Awaitable[T]], *args: Any) -> T:
    """As `trio.run(main, *args)`, while the reactor's coroutines run in the same thread. Returns when `main` does."""
    inbox: deque[Callable[[], object]] = deque()
    outcomes: list[Any] = []

    def from_any_thread(call: Callable[[], object]) -> None:
        inbox.append(call)
        reactor.ring()

    trio.lowlevel.start_guest_run(
        main,
        *args,
        run_sync_soon_threadsafe=from_any_thread,
        run_sync_soon_not_threadsafe=inbox.append,
        done_callback=outcomes.append,
        restrict_keyboard_interrupt_to_checkpoints=True,
    )
    while not outcomes:
        for _ in range(len(inbox)):  # what these add waits for the next turn: neither side starves the other
            inbox.popleft()()
        if not outcomes:
            reactor.turn(0.0 if inbox else inf)
    return outcomes[0].unwrap()  # type: ignore[no-any-return]
