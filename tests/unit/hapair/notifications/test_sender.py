"""Who is told of what, when that fails, hangs and recovers, and that nobody waits for it."""

import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from hapair.config.notifications import NotificationSection
from hapair.events.event import Happening, Kind
from hapair.events.feed import EventFeed
from hapair.notifications.outbox import NotificationView
from hapair.notifications.sender import Notifications
from hapair.notifications.webhook import Hook, PostFailed
from hapair.processes import Ended
from tests.unit.hapair.notifications.test_webhook import OK, serving

OPS = NotificationSection(url="https://hooks.example.org/in?token=hush", timeout_s=5)
PAGER = NotificationSection(command=("/usr/local/bin/page", "now"), on=("role",))


class World:
    """What a node is made of, and what others see of it."""

    def __init__(self, folder: Path, **sections: NotificationSection) -> None:
        self.feed = EventFeed("pi-a", wall=lambda: 1000.0, clock=trio.current_time)
        self.posts: list[tuple[Hook, dict[str, Any], Mapping[str, str]]] = []
        self.runs: list[tuple[Sequence[str], Mapping[str, str], float]] = []
        self.answers: list[str | float] = []
        """What a post meets: words of a failure, `!` first where it is for good, or how long it takes."""
        self.ended = Ended(True, "exited with status 0")
        self.folder = folder
        self.notifications = Notifications(sections, self.feed, folder=folder, post=self.post, run=self.run)

    async def post(self, hook: Hook, body: bytes, headers: Mapping[str, str]) -> int:
        self.posts.append((hook, json.loads(body), headers))
        answer = self.answers.pop(0) if self.answers else 0.0
        if isinstance(answer, str):
            raise PostFailed(answer.lstrip("!"), for_good=answer.startswith("!"))
        await trio.sleep(answer)
        return 200

    async def run(self, command: Sequence[str], environment: Mapping[str, str], limit_s: float) -> Ended:
        self.runs.append((command, environment, limit_s))
        return self.ended

    def happen(self, words: str, kind: Kind = "server") -> None:
        self.feed.record(Happening(kind=kind, subject="web/web1", words=words))

    @property
    def posted(self) -> list[str]:
        return [body["words"] for _, body, _ in self.posts]

    @property
    def view(self) -> NotificationView:
        return self.notifications.views()[0]


@pytest.fixture
async def nursery_of_its_own(autojump_clock: MockClock) -> AsyncIterator[trio.Nursery]:
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()


async def test_each_is_told_of_what_it_asked_for(
    tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = World(tmp_path, ops=OPS, pager=PAGER)
    world.happen("before it runs")
    nursery_of_its_own.start_soon(world.notifications.run)
    await trio.sleep(1)
    world.happen("pi-a is ACTIVE", "role")
    world.happen("a handover", "handover")
    await trio.sleep(1)
    assert world.posted == ["before it runs", "pi-a is ACTIVE"]
    hook, body, headers = world.posts[1]
    assert (hook.url, hook.timeout_s, hook.verify, hook.ca_file) == (OPS.url, 5, True, None)
    assert (body["kind"], body["version"], headers) == ("role", 1, {"X-Hapair-Event": "role"})
    ((command, environment, limit_s),) = world.runs
    assert (command, environment["HAPAIR_WORDS"], limit_s) == (PAGER.command, "pi-a is ACTIVE", 10.0)
    assert world.view == NotificationView(name="ops", sent=2, failed=0, dropped=0, waiting=0, trouble=None)


async def test_a_failure_is_tried_again_later_and_later_and_told_once(
    tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, ops=OPS)
    world.answers = ["it answered 500"] * 4
    nursery_of_its_own.start_soon(world.notifications.run)
    world.happen("one")
    await trio.sleep(14.9)
    assert world.posted == ["one"] * 4
    assert world.view == NotificationView(name="ops", sent=0, failed=4, dropped=0, waiting=1, trouble="it answered 500")
    await trio.sleep(0.2)
    assert (len(world.posts), world.view.sent, world.view.trouble) == (5, 1, None)
    assert [one.words for one in world.feed.after() if one.kind == "notification"] == [
        "ops cannot be notified",
        "ops is notified again",
    ]
    assert "hush" not in caplog.text
    assert "hush" not in repr(OPS)


@pytest.mark.parametrize("kind", ["role", "server", "drift", "certificate"])
async def test_what_everybody_is_told_of_comes_by_either_way_again_until_it_is_taken(
    kind: Kind, tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = World(tmp_path, ops=OPS, pager=NotificationSection(command=("/usr/local/bin/page",)))
    world.answers = ["it answered 503", "no answer in 5 s"]
    world.ended = Ended(False, "exited with status 1")
    nursery_of_its_own.start_soon(world.notifications.run)
    world.happen("first", kind)
    await trio.sleep(2.5)
    assert (world.posted, len(world.runs)) == (["first"] * 2, 2)
    world.ended = Ended(True, "exited with status 0")
    await trio.sleep(3)
    assert (world.posted, len(world.runs)) == (["first"] * 3, 3)
    assert {environment["HAPAIR_KIND"] for _, environment, _ in world.runs} == {kind}
    assert [(one.sent, one.failed, one.waiting) for one in world.notifications.views()] == [(1, 2, 0), (1, 2, 0)]
    world.answers, world.ended = ["refused"] * 1000, Ended(False, "exited with status 1")
    for number in range(250):
        world.happen(f"later {number}", kind)
    await trio.sleep(1)
    assert [(one.waiting, one.dropped) for one in world.notifications.views()] == [(100, 150), (100, 150)]


async def test_what_is_dropped_is_logged_at_a_limited_rate(
    tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path, ops=OPS)
    world.answers = [1e6]
    nursery_of_its_own.start_soon(world.notifications.run)
    for number in range(250):
        world.happen(f"flip {number}")
    await trio.sleep(1)
    (line,) = [one for one in caplog.records if "the oldest is dropped" in one.getMessage()]
    assert (line.who, line.dropped) == ("ops", 1)  # type: ignore[attr-defined]


async def test_one_that_hangs_is_in_nobodys_way(
    tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = World(tmp_path, ops=OPS, pager=PAGER)
    world.answers = [1e6]
    nursery_of_its_own.start_soon(world.notifications.run)
    for number in range(300):
        world.happen(f"flip {number}")
        world.happen(f"role {number}", "role")
        if number % 50 == 49:
            await trio.sleep(1)
    await trio.sleep(1)
    assert len(world.posts) == 1
    assert len(world.runs) >= 100
    assert (world.view.waiting, world.view.dropped) == (100, 500)


async def test_what_is_refused_for_good_is_not_tried_again(
    tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = World(tmp_path, ops=OPS)
    world.answers = ["!it answered 400"]
    nursery_of_its_own.start_soon(world.notifications.run)
    world.happen("one")
    world.happen("two")
    await trio.sleep(0.5)
    assert world.posted == ["one", "two"]
    assert (world.view.sent, world.view.dropped) == (1, 1)


async def test_a_command_that_fails(
    tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = World(tmp_path, pager=PAGER)
    world.ended = Ended(False, "exited with status 3", "no modem")
    nursery_of_its_own.start_soon(world.notifications.run)
    world.happen("pi-a is ACTIVE", "role")
    await trio.sleep(0.5)
    assert world.view.trouble == "page exited with status 3: no modem"
    world.ended = Ended(True, "exited with status 0")
    await trio.sleep(1)
    assert (world.view.sent, world.view.trouble) == (1, None)


async def test_bodies_are_signed_with_a_secret_that_is_read_each_time(
    tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock
) -> None:
    secret, token = tmp_path / "hook.key", tmp_path / "token"
    for path, text in ((secret, "first\n"), (token, "Bearer abc\n")):
        path.write_text(text)
        path.chmod(0o600)
    section = NotificationSection(url="http://h/", secret_file="hook.key", authorization_file=str(token))
    bodies: list[bytes] = []
    world = World(tmp_path, ops=section)

    async def post(hook: Hook, body: bytes, headers: Mapping[str, str]) -> int:
        bodies.append(body)
        world.posts.append((hook, json.loads(body), headers))
        return 200

    world.notifications._post = post
    nursery_of_its_own.start_soon(world.notifications.run)
    world.happen("one")
    await trio.sleep(1)
    secret.write_text("second")
    world.happen("two")
    await trio.sleep(1)
    signed = [headers["X-Hapair-Signature"] for _, _, headers in world.posts]
    assert signed == [
        "sha256=" + hmac.new(key, body, "sha256").hexdigest()
        for key, body in zip((b"first", b"second"), bodies, strict=True)
    ]
    assert world.posts[0][2]["Authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (None, 0o600, "cannot be read: No such file or directory"),
        ("secret", 0o644, "is open to everybody: chmod 0640, or 0600"),
        ("", 0o600, "must hold one line of printable characters"),
        ("two\nlines", 0o600, "must hold one line of printable characters"),
    ],
)
async def test_a_secret_that_will_not_do(
    tmp_path: Path,
    nursery_of_its_own: trio.Nursery,
    autojump_clock: MockClock,
    text: str | None,
    mode: int,
    words: str,
) -> None:
    path = tmp_path / "hook.key"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    world = World(tmp_path, ops=NotificationSection(url="http://h/", secret_file="hook.key"))
    nursery_of_its_own.start_soon(world.notifications.run)
    world.happen("one")
    await trio.sleep(0.5)
    assert world.posts == []
    assert world.view.trouble == f"{path} {words}"


async def test_a_reload_keeps_what_waits_for_who_is_told_as_before(
    tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = World(tmp_path, ops=OPS, pager=PAGER)
    world.answers = ["it answered 500"]
    nursery_of_its_own.start_soon(world.notifications.run)
    world.happen("one")
    await trio.sleep(0.5)
    other = NotificationSection(command=("/bin/other",), on=("server",))
    world.notifications.reload({"ops": OPS, "other": other})
    world.happen("two")
    await trio.sleep(2)
    assert world.posted == ["one", "one", "two"]
    assert [command for command, _, _ in world.runs] == [("/bin/other",)]
    assert [one.name for one in world.notifications.views()] == ["ops", "other"]


async def test_a_stop_waits_for_what_is_to_be_told_but_not_for_ever(
    tmp_path: Path, nursery_of_its_own: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = World(tmp_path, ops=OPS)
    world.answers = [2.0]
    nursery_of_its_own.start_soon(world.notifications.run)
    await wait_all_tasks_blocked()
    world.happen("pi-a stops")
    await world.notifications.finish(5.0)
    assert (trio.current_time(), world.view.sent) == (2.0, 1)
    world.answers = [1e6]
    world.happen("another")
    await world.notifications.finish(5.0)
    assert (trio.current_time(), world.view.waiting) == (7.0, 1)


async def test_with_a_real_server_that_fails_hangs_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hapair.notifications.outbox.FIRST_PAUSE_S", 0.02)
    turns = iter(["fail", "hang", "hang up"])

    async def handler(stream: trio.abc.Stream, seen: list[bytes]) -> None:
        request = b""
        while not request.endswith(b"}"):
            request += await stream.receive_some(65_536)
        match next(turns, "well"):
            case "fail":
                await stream.send_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            case "hang":
                await trio.sleep_forever()
            case "hang up":
                return
            case _:
                seen.append(request)
                await stream.send_all(OK)

    async with serving(handler) as (port, seen), trio.open_nursery() as nursery:
        section = NotificationSection(url=f"http://127.0.0.1:{port}/in", timeout_s=0.2)
        feed = EventFeed("pi-a", wall=lambda: 1000.0, clock=trio.current_time)
        notifications = Notifications({"ops": section}, feed, folder=tmp_path)
        nursery.start_soon(notifications.run)
        feed.record(Happening(kind="role", subject="pi-a", words="pi-a is ACTIVE"))
        await notifications.finish(10.0)
        assert len(seen) == 1
        assert b'"text":"pi-a: pi-a is ACTIVE"' in seen[0]
        (view,) = notifications.views()
        assert (view.sent, view.failed, view.dropped, view.waiting) == (1, 3, 0, 0)
        nursery.cancel_scope.cancel()
