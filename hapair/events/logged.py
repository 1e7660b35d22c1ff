"""Events in the log: one line for each, but for those that have one by whoever decided them."""

import logging
from collections.abc import Mapping
from typing import Final

from hapair.events.event import Event, Severity

log = logging.getLogger(__name__)

LEVELS: Final[Mapping[Severity, int]] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def write(event: Event) -> None:
    """`web/web1 is DOWN kind=server subject=web/web1 reason='connection refused'`"""
    fields = {"kind": event.kind, "subject": event.subject, "reason": event.reason, "by": event.by}
    log.log(LEVELS[event.severity], event.words, extra={name: text for name, text in fields.items() if text})
