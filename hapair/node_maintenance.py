"""`hapair maintenance on|off`: this node hands over what it has, and takes no part until it is told to."""

import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from hapair.events.event import Happening
from hapair.events.feed import acting
from hapair.maintenance import Maintenance, forget, remember, remembered
from hapair.snapshot import MaintenanceView, NodeSnapshot

log = logging.getLogger(__name__)

HandOver = Callable[[str], AsyncGenerator[Any, None]]
"""Hands over for a reason: lines of news, the last one with `ok`."""


class NodeMaintenance:
    """What was said, in `folder`."""

    def __init__(
        self,
        node: str,
        folder: Path,
        hand_over: HandOver,
        states: Callable[[], Mapping[str, str]],
        changed: Callable[[], None],
        *,
        record: Callable[[Happening], object],
    ) -> None:
        """`states`: of the virtual routers. `changed` is called when the node is to be judged anew."""
        self._node = node
        self._folder = folder
        self._hand_over = hand_over
        self._states = states
        self._changed = changed
        self._record = record
        self._now = remembered(folder)
        if self._now is not None:
            log.warning("in maintenance from before this start", extra={"by": self._now.by})

    @property
    def reason(self) -> str | None:
        """Why this node takes no part; None: it does."""
        return None if self._now is None else self._now.reason

    async def story(self, request: Mapping[str, Any]) -> AsyncGenerator[Any, None]:
        """`{"command": "maintenance", "on": true, "force": false}`: what happens, line by line; the last has `ok`.

        With `force` the node goes even where the peer does not take over.
        """
        if not isinstance(request.get("on"), bool):
            yield {"ok": False, "words": "say whether it is to be on: true or false"}
        elif not request["on"]:
            yield self._end()
        elif self._now is not None:
            yield {"ok": True, "words": f"{self._node} is in maintenance already, by {self._now.by}"}
        else:
            async with aclosing(self._begin(force=request.get("force") is True)) as lines:
                async for line in lines:
                    yield line

    async def _begin(self, *, force: bool) -> AsyncGenerator[Any, None]:
        handed_over = True
        if "Active" in self._states().values():
            handed_over = False
            async with aclosing(self._hand_over("maintenance")) as story:
                async for line in story:
                    handed_over = bool(line.get("ok"))
                    yield {"news": line.get("news") or line.get("words")}
        if not handed_over and not force:
            yield {"ok": False, "words": f"{self._node} goes on: nobody takes over; with --force it goes all the same"}
            return
        said = Maintenance(by=acting.get() or "hapair maintenance", since=time.time())
        try:
            remember(self._folder, said)
        except OSError as error:
            words = f"it cannot be remembered in {self._folder}: {error.strerror}"
            yield {"ok": False, "words": words}
            return
        self._now = said
        words = f"{self._node} is in maintenance: it takes no part until `hapair maintenance off`"
        self._tell(words, on=True)
        yield {"ok": True, "words": words}

    def _end(self) -> Mapping[str, Any]:
        if self._now is None:
            return {"ok": True, "words": f"{self._node} is not in maintenance"}
        try:
            forget(self._folder)
        except OSError as error:
            return {"ok": False, "words": f"what is remembered in {self._folder} cannot be removed: {error.strerror}"}
        self._now = None
        words = f"{self._node} takes part again; `hapair preempt` lets it take back what it handed over"
        self._tell(words, on=False)
        return {"ok": True, "words": words}

    def _tell(self, words: str, *, on: bool) -> None:
        by = acting.get() or "hapair maintenance"
        what = Happening(
            kind="maintenance", subject=self._node, words=words, by=by, severity="warning", details={"on": on}
        )
        self._record(what)
        self._changed()

    def with_maintenance(self, node: NodeSnapshot) -> NodeSnapshot:
        """The same, with what was said."""
        if self._now is None:
            return node
        view = MaintenanceView(by=self._now.by, since=self._now.since)
        warning = f"{self._now.reason}: it takes no part until `hapair maintenance off`"
        return replace(node, maintenance=view, warnings=(warning, *node.warnings))
