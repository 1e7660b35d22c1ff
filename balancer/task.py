"""One coroutine of the reactor, and what becomes of it: woken, interrupted, joined, ended.

A wake-up is a hint (see reactor.py): whoever awaits PARK looks again when it returns, and parks again if need be.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from balancer.failures import StreamFailure

if TYPE_CHECKING:
    from balancer.reactor import Reactor

T = TypeVar("T")
Work = Coroutine[Any, Any, T]


class Cancelled(BaseException):
    """Thrown into a coroutine that must end now. Clean up and let it rise."""


class _Park(tuple[None]):
    """`await PARK` suspends until someone wakes the task. A tuple's iterator is the smallest thing that yields once."""

    __slots__ = ()
    __await__: Any = tuple.__iter__  # rather than a method that calls it: one frame less for each resumption


PARK = _Park((None,))


class Task(Generic[T]):
    """One coroutine and what became of it. Subclasses override `finish`."""

    __slots__ = ("_coroutine", "_forks", "_joiner", "_result", "done", "error", "reactor", "scheduled")

    def __init__(self, reactor: Reactor, coroutine: Work[T]) -> None:
        self.reactor = reactor
        self.scheduled = False
        """To be resumed soon already, or at its end: either way a wake-up changes nothing."""
        self.done = False
        self.error: BaseException | None = None
        """Before the end: what to throw at the next resumption. After it: what a fork ended with."""
        self._coroutine = coroutine
        self._joiner: Task[Any] | None = None
        self._forks: list[Task[Any]] | None = None
        self._result: T | None = None

    def wake(self) -> None:
        """Resume soon."""
        if not self.scheduled:
            self.scheduled = True
            reactor = self.reactor
            reactor.ready.append(self)
            if not reactor.in_turn:
                reactor.ring()

    def interrupt(self, error: BaseException) -> None:
        """Throw `error` into the coroutine where it is parked. Cancellation is not displaced by anything later."""
        if not self.done and not isinstance(self.error, Cancelled):
            self.error = error
            self.wake()

    def cancel(self) -> None:
        """End the coroutine: Cancelled is thrown where it is parked."""
        self.interrupt(Cancelled())

    async def wait(self) -> None:
        """Wait for the end, whatever it is."""
        self._joiner = self.reactor.current
        while not self.done:
            await PARK
        self._joiner = None

    def step(self) -> None:
        """Run until it parks or ends. The reactor's to call."""
        try:
            if self.error is None:
                self._coroutine.send(None)
            else:
                self._coroutine.throw(self._take_error())
        except StopIteration as stop:
            self._result = stop.value
            self._end(None)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as raised:
            self._end(raised)

    def _take_error(self) -> BaseException:
        """A local variable of `step` would hold it, and its traceback that frame, until a collection."""
        error, self.error = self.error, None
        assert error is not None
        return error

    def _end(self, error: BaseException | None) -> None:
        self.scheduled = True
        if self.done:
            return  # it woke itself with the last thing that it did, and has been resumed beyond its end
        self.done = True
        for fork in self._forks or ():
            fork.cancel()
        self._forks = None
        if self._joiner is not None:
            self._joiner.wake()
        self.finish(error)

    def suspended(self) -> Iterator[dict[str, Any]]:
        """The variables of each call that waits, the outermost first: for somebody who looks at it from outside."""
        awaiting: Any = self._coroutine
        while isinstance(awaiting, CoroutineType) and awaiting.cr_frame is not None:
            yield awaiting.cr_frame.f_locals
            awaiting = awaiting.cr_await

    def adopt(self, fork: Task[Any]) -> None:
        """End `fork` when this task ends."""
        self._forks = [other for other in self._forks or () if not other.done]
        self._forks.append(fork)

    def finish(self, error: BaseException | None) -> None:
        """Called once, at the end. An exception that nobody handled is a bug and is reported."""
        if error is not None and not isinstance(error, (Cancelled, StreamFailure)):
            self.reactor.bugs.report(error)


class Fork(Task[T]):
    """A task whose exception waits for `join`. One that nobody can join any more, and that is a bug, is reported."""

    __slots__ = ("_parent",)

    def __init__(self, reactor: Reactor, coroutine: Work[T], parent: Task[Any]) -> None:
        super().__init__(reactor, coroutine)
        self._parent = parent

    async def join(self) -> T:
        """Wait for the end; the coroutine's result, or its exception raised here."""
        await self.wait()
        error, self.error = self.error, None
        if error is not None:
            raise error
        return self._result  # type: ignore[return-value]

    def finish(self, error: BaseException | None) -> None:
        if self._parent.done:
            super().finish(error)
        else:
            self.error = error


class Partner(Fork[T]):
    """A fork whose exception does not wait, but is thrown into the parent."""

    __slots__ = ()

    def finish(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, Cancelled):
            self._parent.interrupt(error)
