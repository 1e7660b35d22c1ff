"""Orders of a node to its workers: each goes to all of them, and is done when all have answered, or have died."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

import trio

from hapair.messages import Obeyed, Order

PATIENCE_S = 2.0


class Post(Protocol):
    """`hapair.channel.Channel.post`."""

    def __call__(self, message: object, /) -> None: ...


class Orders:
    """`greet` a worker when it starts and when it has been given another configuration; say when it is `gone`."""

    def __init__(self, standing: Callable[[], Iterable[Order]] = tuple) -> None:
        """`standing`: what holds for every worker from its start on."""
        self._standing = standing
        self._workers: dict[object, Post] = {}
        self._serial = 0
        self._open: dict[int, _Asked] = {}

    def hold(self, standing: Callable[[], Iterable[Order]]) -> None:
        """What holds for every worker from now on."""
        self._standing = standing

    def greet(self, worker: object, post: Post) -> None:
        """A worker has been told what it serves."""
        self._workers[worker] = post
        for order in self._standing():
            post(order)

    def gone(self, worker: object) -> None:
        """It answers no more."""
        self._workers.pop(worker, None)
        for asked in self._open.values():
            asked.heard(worker)

    def heard(self, worker: object, answer: Obeyed) -> None:
        """One of them has done it."""
        if (asked := self._open.get(answer.serial)) is not None:
            asked.answers.append(answer)
            asked.heard(worker)

    async def give(self, order: Order) -> list[Obeyed]:
        """What the workers answer; one that does not within PATIENCE_S is passed over."""
        self._serial += 1
        serial, asked = self._serial, _Asked(set(self._workers))
        self._open[serial] = asked
        try:
            for post in self._workers.values():
                post(replace(order, serial=serial))
            with trio.move_on_after(PATIENCE_S):
                await asked.done()
        finally:
            del self._open[serial]
        return asked.answers


class _Asked:
    """One order, and who has yet to answer."""

    def __init__(self, waiting: set[object]) -> None:
        self.answers: list[Obeyed] = []
        self._waiting = waiting
        self._event = trio.Event()
        self._look()

    def heard(self, worker: object) -> None:
        self._waiting.discard(worker)
        self._look()

    def _look(self) -> None:
        if not self._waiting:
            self._event.set()

    async def done(self) -> None:
        await self._event.wait()
