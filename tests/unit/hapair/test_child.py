"""Real children, tiny ones: what they say is heard, their death is seen, one that hangs is killed."""

import os
import socket
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from hapair.child import Child, start_child
from hapair.messages import FROM_WORKER, RouterReport, Serving, Stop

# Speaks the channel's frames without a single import of ours, so that it starts in a few milliseconds.
PRELUDE = """
import json, os, signal, socket, struct, sys
channel = socket.socket(fileno=int(sys.argv[1]))
def say(kind, **body):
    data = json.dumps({"type": kind, "body": body}).encode()
    channel.sendall(struct.pack("!IH", len(data), 0) + data)
def wait_for_end():
    while channel.recv(4096): pass
"""

KNOWN = (*FROM_WORKER, Stop)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where children find their module."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return tmp_path


async def start(folder: Path, code: str) -> Child:
    (folder / "tiny_child.py").write_text(PRELUDE + code)
    return await start_child("tiny_child", name="tiny", known=KNOWN)


async def follow(child: Child) -> tuple[str, list[object]]:
    heard: list[object] = []
    how = await child.follow(heard.append)
    child.channel.close()
    return how, heard


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("sys.exit(3)", "it exited with status 3"),
        ("", "it exited with status 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "it was killed by SIGKILL"),
        ("signal.signal(signal.SIGTERM, signal.SIG_DFL); os.kill(os.getpid(), 15)", "it was killed by SIGTERM"),
        ("os.kill(os.getpid(), 40)", "it was killed by signal 40"),
    ],
)
async def test_how_a_child_died(tiny: Path, code: str, how: str) -> None:
    assert await follow(await start(tiny, code)) == (how, [])


async def test_what_a_child_says_is_heard_and_its_heartbeats_are_not_handled(tiny: Path) -> None:
    code = "say('Heartbeat'); say('Serving'); say('Stop'); wait_for_end()"
    child = await start(tiny, code)
    heard: list[object] = []

    def handle(message: object) -> None:
        heard.append(message)
        if message == Stop():
            child.kill()

    with trio.fail_after(60):
        assert await child.follow(handle) == "it was killed by SIGKILL"
    child.channel.close()
    assert heard == [Serving(), Stop()]


async def test_a_child_holds_no_descriptor_of_ours_but_its_end_of_the_channel(tiny: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    extra = os.dup(listener.fileno())
    code = """
links = [f"/proc/self/fd/{fd}" for fd in range(3, 256)]
kinds = [os.readlink(link).partition(":")[0] for link in links if os.path.lexists(link)]
kinds += [str(os.get_inheritable(channel.fileno()))]
print(*kinds, file=open(os.path.join(os.environ["PYTHONPATH"], "kinds"), "w"))
"""
    assert await follow(await start(tiny, code)) == ("it exited with status 0", [])
    assert (tiny / "kinds").read_text() == "socket True\n"
    listener.close()
    os.close(extra)


async def test_a_child_that_sends_garbage_is_killed(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    child = await start(tiny, "channel.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n'); wait_for_end(); signal.pause()")
    assert await follow(child) == ("it was killed by SIGKILL", [])
    assert [record.getMessage() for record in caplog.records] == ["unreadable message; killing the child"]


async def test_a_child_may_only_say_what_is_expected_of_it(tiny: Path) -> None:
    assert RouterReport not in KNOWN
    child = await start(tiny, "say('RouterReport', routers=[]); signal.pause()")
    assert await follow(child) == ("it was killed by SIGKILL", [])


async def test_a_child_that_closes_its_channel_and_lives_on_is_silent_and_so_hangs(
    tiny: Path, autojump_clock: MockClock
) -> None:
    child = await start(tiny, "say('Serving'); channel.close(); signal.pause()")
    assert (await follow(child))[0] == "it hung and was killed"


async def test_a_child_that_is_stopped_hangs_and_is_killed(tiny: Path, autojump_clock: MockClock) -> None:
    child = await start(tiny, "os.kill(os.getpid(), signal.SIGSTOP)")
    assert not child.hung
    assert await follow(child) == ("it hung and was killed", [])
    assert child.hung
    assert child.process.returncode == -9


async def test_a_child_that_ends_by_itself_is_waited_for(tiny: Path) -> None:
    child = await start(tiny, "wait_for_end(); sys.exit(5)")
    child.channel.close()
    with trio.fail_after(60):
        await child.end(10)
    assert child.process.returncode == 5


async def test_a_child_that_does_not_end_is_killed_after_the_limit(tiny: Path, autojump_clock: MockClock) -> None:
    child = await start(tiny, "signal.pause()")
    started_at = trio.current_time()
    await child.end(30)
    assert child.process.returncode == -9
    assert trio.current_time() - started_at >= 30
    child.channel.close()


async def test_a_module_that_does_not_exist_is_a_child_that_dies(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    child = await start_child("no_such_module", name="none", known=KNOWN)
    assert await follow(child) == ("it exited with status 1", [])
    assert "No module named no_such_module" in capfd.readouterr().err


async def test_the_end_of_its_channel_is_told_before_the_end_of_its_process(tiny: Path) -> None:
    """A kernel that is slow to close the rest of a dying process must not delay who stands in for it."""
    child = await start(tiny, "channel.close(); signal.pause()")
    told: list[int | None] = []

    def stand_in() -> None:
        told.append(child.process.returncode)
        child.kill()

    how = await child.follow(print, stand_in)
    child.channel.close()
    assert told == [None]
    assert how == "it was killed by SIGKILL"
