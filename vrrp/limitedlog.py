"""Warnings that hostile or broken neighbours can cause, at a limited rate. Pure but for the logging."""

import logging
from collections.abc import Mapping

INTERVAL_S = 10.0


class LimitedLog:
    """Logs the first of each kind, then one every ten seconds with the number that were left out."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._next_at: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def warning(self, kind: str, phrase: str, fields: Mapping[str, object], *, now: float) -> None:
        """Log a warning, unless one of this kind was logged a moment ago. `now` in seconds, on any steady clock."""
        if now < self._next_at.get(kind, now):
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        self._next_at[kind] = now + INTERVAL_S
        self._log.warning(phrase, extra={**fields, "left_out": self._left_out.pop(kind, 0)})
