"""What becomes of an exception that nobody expected: counted always, logged with its traceback at a limited rate."""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf

log = logging.getLogger(__name__)

LOG_INTERVAL_S = 1.0


class BugReporter:
    """One bug under load would repeat itself thousands of times a second: only one a second is written."""

    __slots__ = ("_clock", "_logged_at", "_unlogged", "count")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.count = 0
        self._clock = clock
        self._logged_at = -inf
        self._unlogged = 0

    def report(self, error: BaseException) -> None:
        """Count the exception, and log it unless another one was logged a moment ago."""
        self.count += 1
        now = self._clock()
        if now - self._logged_at < LOG_INTERVAL_S:
            self._unlogged += 1
            return
        log.error("connection ended by a bug", exc_info=error, extra={"not_logged": self._unlogged})
        self._logged_at, self._unlogged = now, 0
