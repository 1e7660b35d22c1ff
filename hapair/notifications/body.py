"""What is sent of an event: to a webhook as JSON, to a command in its environment. Pure."""

import hmac
import json
from typing import Any

from hapair.events.event import Event
from hapair.wire import to_plain

VERSION = 1


def text_of(event: Event) -> str:
    """One line for a person."""
    why = f" ({event.reason})" if event.reason else ""
    who = f" by {event.by}" if event.by else ""
    return f"{event.node}: {event.words}{why}{who}"


def body_of(event: Event) -> bytes:
    """The event, `version`, and `text`, which chat services show."""
    plain: dict[str, Any] = {"version": VERSION, "text": text_of(event), **to_plain(event)}
    return json.dumps(plain, separators=(",", ":")).encode()


def signature_of(body: bytes, secret: bytes) -> str:
    """The value of X-Hapair-Signature: `sha256=` and the HMAC of the body in hexadecimal digits."""
    return f"sha256={hmac.digest(secret, body, 'sha256').hex()}"


def environment_of(event: Event) -> dict[str, str]:
    """The variables of a command's environment."""
    return {
        "HAPAIR_NODE": event.node,
        "HAPAIR_KIND": event.kind,
        "HAPAIR_SEVERITY": event.severity,
        "HAPAIR_SUBJECT": event.subject,
        "HAPAIR_WORDS": event.words,
        "HAPAIR_REASON": event.reason,
        "HAPAIR_BY": event.by,
        "HAPAIR_AT": f"{event.at:.3f}",
        "HAPAIR_EVENT": body_of(event).decode(),
    }
