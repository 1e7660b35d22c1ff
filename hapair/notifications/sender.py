"""Everybody who is told, each by a task and an outbox of its own: one that hangs is in nobody's way."""

import logging
import os
import stat
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trio

from hapair.config.notifications import NotificationSection
from hapair.events.event import Event, Happening, Severity
from hapair.events.feed import EventFeed
from hapair.notifications.body import body_of, environment_of, signature_of
from hapair.notifications.outbox import NotificationView, Outbox
from hapair.notifications.webhook import Hook, PostFailed, post
from hapair.processes import Programs, Run
from vrrp.limitedlog import LimitedLog

log = logging.getLogger(__name__)

_SECRET_LIMIT_BYTES = 4096

Post = Callable[[Hook, bytes, Mapping[str, str]], Awaitable[int]]


@dataclass(slots=True)
class _Target:
    """One who is told."""

    name: str
    section: NotificationSection
    outbox: Outbox = field(default_factory=Outbox)
    more: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    trouble: str | None = None


class Notifications:
    """`run` must run; what happens before it does is told too."""

    def __init__(
        self,
        sections: Mapping[str, NotificationSection],
        feed: EventFeed,
        *,
        folder: Path,
        post: Post = post,
        run: Run | None = None,
    ) -> None:
        """`folder`: what the paths of files are relative to."""
        self._feed = feed
        self._reader = feed.read(feed.last_id)
        self._folder = folder
        self._post = post
        self._run = run or Programs().run
        self._targets: dict[str, _Target] = {}
        self._nursery: trio.Nursery | None = None
        self._settled = trio.Event()
        self._limited = LimitedLog(log)
        self.reload(sections)

    def reload(self, sections: Mapping[str, NotificationSection]) -> None:
        """Tell these from now on. Who is told as before keeps what waits, and the counts."""
        for name, target in list(self._targets.items()):
            if sections.get(name) != target.section:
                target.scope.cancel()
                del self._targets[name]
        for name, section in sections.items():
            if name not in self._targets:
                self._targets[name] = target = _Target(name, section)
                if self._nursery is not None:
                    self._nursery.start_soon(self._serve, target)

    def views(self) -> tuple[NotificationView, ...]:
        """For the status."""
        return tuple(
            NotificationView(
                name=name,
                sent=one.outbox.sent,
                failed=one.outbox.failed,
                dropped=one.outbox.dropped,
                waiting=len(one.outbox),
                trouble=one.trouble,
            )
            for name, one in self._targets.items()
        )

    async def run(self) -> None:
        """For ever."""
        async with trio.open_nursery() as self._nursery:
            for target in self._targets.values():
                self._nursery.start_soon(self._serve, target)
            while True:
                self._distribute(await self._reader.next())

    def _distribute(self, events: list[Event]) -> None:
        now = trio.current_time()
        for event in events:
            for target in self._targets.values():
                if event.kind in target.section.on:
                    self._put(target, event, now)

    def _put(self, target: _Target, event: Event, now: float) -> None:
        before = target.outbox.dropped
        target.outbox.put(event, now)
        target.more.set()
        if target.outbox.dropped > before:
            fields = {"who": target.name, "dropped": target.outbox.dropped}
            self._limited.warning(target.name, "too many notifications wait: the oldest is dropped", fields, now=now)

    async def finish(self, limit_s: float) -> None:
        """Wait until everything was told that happened until now, at most for `limit_s`."""
        self._distribute(self._reader.rest())
        with trio.move_on_after(limit_s):
            while any(len(target.outbox) for target in self._targets.values()):
                self._settled = trio.Event()
                await self._settled.wait()

    async def _serve(self, target: _Target) -> None:
        with target.scope:
            while True:
                await target.more.wait()
                target.more = trio.Event()
                while (event := target.outbox.first(trio.current_time())) is not None:
                    await self._tell(target, event)
                self._settled.set()

    async def _tell(self, target: _Target, event: Event) -> None:
        try:
            await (self._by_command if target.section.command else self._by_webhook)(target.section, event)
        except PostFailed as failed:
            self._trouble(target, str(failed))
            if failed.for_good:
                target.outbox.refused(event)
            else:
                await trio.sleep(target.outbox.failed_s())
        else:
            target.outbox.told(event)
            self._well(target)

    def _trouble(self, target: _Target, words: str) -> None:
        log.warning("not notified", extra={"who": target.name, "reason": words, "waiting": len(target.outbox)})
        if target.trouble is None:
            self._record(f"{target.name} cannot be notified", words, well=False)
        target.trouble = words

    def _well(self, target: _Target) -> None:
        if target.trouble is not None:
            target.trouble = None
            self._record(f"{target.name} is notified again", "", well=True)

    def _record(self, words: str, reason: str, *, well: bool) -> None:
        subject = words.partition(" ")[0]
        severity: Severity = "info" if well else "warning"
        self._feed.record(
            Happening(
                kind="notification", subject=subject, words=words, reason=reason, severity=severity, logged=not well
            )
        )

    async def _by_command(self, section: NotificationSection, event: Event) -> None:
        ended = await self._run(section.command, environment_of(event), section.timeout_s)
        if not ended.ok:
            said = f": {ended.output}" if ended.output else ""
            raise PostFailed(f"{Path(section.command[0]).name} {ended.how}{said}")

    async def _by_webhook(self, section: NotificationSection, event: Event) -> None:
        assert section.url is not None
        body = body_of(event)
        headers: dict[str, str] = {"X-Hapair-Event": event.kind}
        if section.secret_file is not None:
            headers["X-Hapair-Signature"] = signature_of(body, self._read(section.secret_file))
        if section.authorization_file is not None:
            headers["Authorization"] = self._read(section.authorization_file).decode("latin-1")
        ca_file = None if section.ca_file is None else str(self._folder / section.ca_file)
        hook = Hook(url=section.url, timeout_s=section.timeout_s, ca_file=ca_file, verify=section.verify)
        await self._post(hook, body, headers)

    def _read(self, name: str) -> bytes:
        """A secret: one line, in a file that not everybody can read. Read each time, so that it can be exchanged."""
        path = self._folder / name
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_mode & stat.S_IRWXO:
                    raise PostFailed(f"{path} is open to everybody: chmod 0640, or 0600")
                text = file.read(_SECRET_LIMIT_BYTES).strip()
        except OSError as error:
            raise PostFailed(f"{path} cannot be read: {error.strerror}") from error
        if not text or not text.isascii() or not text.decode("ascii").isprintable():
            raise PostFailed(f"{path} must hold one line of printable characters")
        return text
