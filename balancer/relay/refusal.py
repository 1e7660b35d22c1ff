"""A request that is refused, by whatever part of a relay."""

from __future__ import annotations

from balancer.answers import Answer
from balancer.causes import Cause
from balancer.http1.errors import BadMessage


class Refusal(Exception):  # noqa: N818 - named for what it is
    """A request that is answered by us, with an error. Nothing of another response has been sent."""

    def __init__(
        self,
        status: int,
        why: str | Cause,
        *,
        cause: Cause | None = None,
        retry_after_s: int | None = None,
        shown: Answer | None = None,
    ) -> None:
        """A cause says why in its own words."""
        if isinstance(why, Cause):
            cause = why
        self.status = status
        self.why = why.value if isinstance(why, Cause) else why
        self.cause = cause
        """None: this end has no name of its own."""
        self.invalid: tuple[BadMessage, str, str] | None = None
        """What is wrong with a server's response, its pool and its name, where that is why."""
        self.retry_after_s = retry_after_s
        """When it is worth while to ask again."""
        self.shown = shown
        """What the client is shown; None: the status and `why`."""
        super().__init__(self.why)
