"""The proxy plane's event loop: an edge-triggered epoll that resumes one plain coroutine per connection.

A coroutine here is an ordinary `async def` that awaits only what this module and `balancer.streams` offer. It reads
top to bottom like any other, but to suspend it costs one tuple iterator and to resume it one `send`, where a trio task
pays for a checkpoint at each socket call. (Tried before this was written, CPU per HTTP request with HAProxy at 1.0:
trio streams 0.3, trio tasks that touch trio only on EAGAIN 0.4, this 0.7 to 1.0. Callbacks were not faster, only
smaller: 570 bytes for an idle connection against 1,900.)

How it works:

- A descriptor is registered once, for everything, edge-triggered. An event only sets flags on its owner and puts the
  coroutine that is parked there into the ready queue. Sockets are tried first; a coroutine parks on EAGAIN.
- **A wake-up is a hint.** Every primitive looks again when it is resumed, so an untimely wake-up does no harm; that is
  what makes events, deadlines and cancellation need no knowledge of each other.
- A *turn* collects one batch of events, then runs ready coroutines for at most BUDGET_S, so that trio's tasks in the
  same thread get theirs. What was not run stays in the queue. Deadlines are looked at once per turn (see wheel.py).
- Descriptors are closed at the end of a turn: closed at once, the number could be given to a new connection while
  events for the old one are still in the batch.

Who drives the turns is told in drivers.py.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Protocol, TypeVar

from balancer.bugs import BugReporter
from balancer.pipes import PipePool
from balancer.task import PARK, Fork, Partner, Task, Work
from balancer.wheel import TimerWheel

BUDGET_S = 0.002
BATCH = 64
EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET

T = TypeVar("T")


class Watched(Protocol):
    """The owner of a registered descriptor."""

    def on_events(self, mask: int) -> None: ...


class Ledger(Protocol):
    """What is counted in passing and written down once a turn."""

    def settle(self) -> None: ...


class _Sleeper:
    """A task in the timer wheel."""

    __slots__ = ("deadline", "filed_at", "task")

    def __init__(self, task: Task[Any], deadline: float) -> None:
        self.task = task
        self.deadline = deadline
        self.filed_at = inf

    def expire(self) -> None:
        self.task.wake()


class Reactor:
    """Coroutines, descriptors and deadlines of one thread. `clock` gives seconds that only grow."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock()
        """The time at the start of this turn: good enough for deadlines, and free."""
        self.ready: deque[Task[Any]] = deque()
        self.unsettled: list[Ledger] = []
        """To be settled at the end of the turn."""
        self.wheel = TimerWheel()
        self.pipes = PipePool()
        self.bugs = BugReporter(clock)
        self.current: Task[Any]
        """The task that is running. For coroutines of this reactor only."""
        self._clock = clock
        self._turn_ends_at = inf
        self.in_turn = False
        self._watched: dict[int, Watched] = {}
        self._closing: list[socket.SocketType] = []
        self._paused: list[Task[Any]] = []
        self._epoll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._bell, select.EPOLLIN | select.EPOLLET)

    def spawn(self, coroutine: Work[T]) -> Task[T]:
        """Run a coroutine on its own; an exception that escapes it (but for StreamFailure) is reported as a bug."""
        return self.start(Task(self, coroutine))

    def start(self, task: Task[T]) -> Task[T]:
        """As `spawn`, for a task made by the caller."""
        task.wake()
        return task

    def fork(self, coroutine: Work[T]) -> Fork[T]:
        """Run a coroutine beside the current one, which should `join` it; it is cancelled when the current one ends."""
        return self._start_fork(Fork(self, coroutine, self.current))

    async def together(self, first: Work[Any], second: Work[Any]) -> None:
        """Run both and wait for both. The first exception of either ends the other and is raised."""
        child = self._start_fork(Partner(self, second, self.current))
        try:
            await first
            await child.wait()
        except BaseException:
            child.cancel()
            await child.wait()
            raise

    def _start_fork(self, fork: Fork[T]) -> Fork[T]:
        self.current.adopt(fork)
        fork.wake()
        return fork

    async def pause(self) -> None:
        """Let the others run, and look for events: go on in the next turn."""
        task = self.current
        task.scheduled = True
        self._paused.append(task)
        await PARK

    async def sleep_until(self, deadline: float) -> None:
        """Park until `now` has reached `deadline`."""
        sleeper = _Sleeper(self.current, deadline)
        try:
            while self.now < deadline:
                self.wheel.file(sleeper, self.now)
                await PARK
        finally:
            self.wheel.remove(sleeper)

    def overdue(self) -> bool:
        """True once this turn's budget is spent: a coroutine that could go on for long should then `pause`."""
        return self._clock() >= self._turn_ends_at

    def watch(self, fd: int, owner: Watched, events: int = EVENTS) -> None:
        """Register a descriptor. Events go to `owner` until `forget`."""
        self._watched[fd] = owner
        self._epoll.register(fd, events)

    def forget(self, fd: int) -> None:
        """No more events for this descriptor; it stays in the kernel's set until it is closed."""
        self._watched.pop(fd, None)

    def unwatch(self, fd: int) -> None:
        """As `forget`, for a descriptor that is not about to be closed."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def close_later(self, closing: socket.SocketType) -> None:
        """Close a socket at the end of the turn."""
        self._closing.append(closing)
        self.notify()

    def notify(self) -> None:
        """See that a turn follows soon. Only from the reactor's own thread; `ring` from others."""
        if not self.in_turn:
            self.ring()

    def ring(self) -> None:
        """End the wait for events. From any thread."""
        os.eventfd_write(self._bell, 1)

    def turn(self, timeout_s: float = 0.0) -> bool:
        """Wait for events for up to `timeout_s`, then run what is ready. False when there was nothing to do."""
        wait_s = min(timeout_s, self.wait_s())
        events = self._epoll.poll(None if wait_s == inf else wait_s, BATCH)
        self.now = self._clock()
        self._turn_ends_at = self.now + BUDGET_S
        self.in_turn = True
        try:
            self.ready.extend(self._paused)
            self._paused.clear()
            watched = self._watched
            for fd, mask in events:
                if (owner := watched.get(fd)) is not None:
                    owner.on_events(mask)
            self.wheel.expire(self.now)
            worked = bool(events or self.ready)
            self._run_ready()
        finally:
            self.in_turn = False
            self._settle()
            self._close_closing()
        return worked

    def _run_ready(self) -> None:
        ready, clock, ends_at = self.ready, self._clock, self._turn_ends_at
        while ready:
            task = ready.popleft()
            task.scheduled = False
            self.current = task
            task.step()
            if clock() >= ends_at:
                break

    def _settle(self) -> None:
        for ledger in self.unsettled:
            ledger.settle()
        self.unsettled.clear()

    def _close_closing(self) -> None:
        for closing in self._closing:
            closing.close()
        self._closing.clear()

    def wait_s(self) -> float:
        """How long a driver may wait for events: 0 when something is ready, infinity when nothing is due."""
        return 0.0 if self.ready or self._paused else max(0.0, self.wheel.next_at() - self._clock())

    def fileno(self) -> int:
        """The epoll descriptor: readable when there are events."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Release the reactor's own descriptors. Sockets belong to their streams."""
        self._close_closing()
        self.pipes.close()
        self._epoll.close()
        os.close(self._bell)
