"""Programs of an administrator: real ones, tiny ones."""

import os
import signal
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from hapair import privileges, processes
from hapair.processes import Ended, Programs, first_line


async def run(*command: str, environment: Mapping[str, str] | None = None, limit_s: float = 60.0) -> Ended:
    return await Programs().run(command, environment or {}, limit_s)


async def sh(script: str, limit_s: float = 60.0) -> Ended:
    return await run("/bin/sh", "-c", script, limit_s=limit_s)


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Where a program says something while it runs."""
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


async def hear(fifo: Path) -> str:
    with trio.fail_after(60):
        return await trio.to_thread.run_sync(fifo.read_text)


async def wait_until_gone(pidfd: int) -> None:
    with trio.fail_after(60):
        await trio.lowlevel.wait_readable(pidfd)
    os.close(pidfd)


def own_status() -> str:
    return Path("/proc/self/status").read_text()


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("exit 0", Ended(True, "exited with status 0")),
        ("exit 3", Ended(False, "exited with status 3")),
        ("echo; echo '  all is well '; echo more", Ended(True, "exited with status 0", "all is well")),
        ("echo lost >&2; exit 1", Ended(False, "exited with status 1", "lost")),
        ("kill -TERM $$", Ended(False, "was killed by SIGTERM")),
        ("kill -40 $$", Ended(False, "was killed by signal 40")),
    ],
)
async def test_how_a_program_ends(script: str, ended: Ended) -> None:
    assert await sh(script) == ended


async def test_a_program_that_is_not_there_cannot_be_started() -> None:
    assert await run("/no/such/program") == Ended(False, "could not be started: No such file or directory")


async def test_a_file_that_is_no_program_cannot_be_started(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o600)
    assert await run(str(file)) == Ended(False, "could not be started: Permission denied")


async def test_arguments_are_arguments_and_no_shell_reads_them() -> None:
    assert (await run("/bin/echo", "$HOME; a  b", "*")).output == "$HOME; a  b *"


async def test_the_environment_holds_a_path_and_what_is_given_and_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HAPAIR_SECRET_OF_OURS", "1")
    out = tmp_path / "out"
    await run("/bin/sh", "-c", f"exec env >{out}", environment={"HAPAIR_STATE": "Active"})
    lines = [line for line in out.read_text().splitlines() if not line.startswith(("PWD=", "_=", "SHLVL="))]
    assert sorted(lines) == [
        "HAPAIR_STATE=Active",
        "LANG=C.UTF-8",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]


async def test_it_runs_in_the_root_folder_with_nothing_to_read() -> None:
    assert (await sh("cat; pwd")).output == "/"


async def test_it_has_no_capability_and_no_way_to_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = privileges.effective_capabilities()
    assert (await sh(f"exec cat /proc/self/status >{out}")).ok
    lines = dict(line.split(":\t", 1) for line in out.read_text().splitlines() if ":\t" in line)
    assert [lines[key] for key in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == ["0" * 16] * 4
    assert lines["NoNewPrivs"] == "1"
    assert privileges.effective_capabilities() == before
    assert "NoNewPrivs:\t0" in own_status()


async def test_no_thread_of_trio_s_has_given_anything_up() -> None:
    await sh("exit 0")
    before = privileges.effective_capabilities()
    assert await trio.to_thread.run_sync(privileges.effective_capabilities) == before


async def test_it_holds_no_descriptor_of_ours() -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    assert (await run("/bin/ls", "-x", "-w", "80", "/proc/self/fd")).output.split() == ["0", "1", "2", "3"]
    os.close(read)
    os.close(write)


async def test_one_that_takes_too_long_is_killed_with_all_that_it_started(fifo: Path) -> None:
    ended: list[Ended] = []

    async def work() -> None:
        ended.append(await sh(f"echo begun; sleep 60 & echo $$ $! >{fifo}; wait", limit_s=0.5))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        pidfds = [os.pidfd_open(int(pid)) for pid in (await hear(fifo)).split()]
    for pidfd in pidfds:
        await wait_until_gone(pidfd)
    assert ended == [Ended(False, "took longer than 0.5 s", "begun")]


async def test_one_whose_run_is_cancelled_is_killed(fifo: Path) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sh, f"echo $$ >{fifo}; exec sleep 60")
        pidfd = os.pidfd_open(int(await hear(fifo)))
        nursery.cancel_scope.cancel()
    await wait_until_gone(pidfd)


async def test_what_it_leaves_running_in_the_background_goes_on(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert (await sh(f"sleep 60 & echo $! >{pid}; echo done")) == Ended(True, "exited with status 0", "done")
    pidfd = os.pidfd_open(int(pid.read_text()))
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)  # it was alive: else this fails
    await wait_until_gone(pidfd)


async def test_one_that_never_stops_writing_finds_its_pipe_closed_or_its_time_over() -> None:
    ended = await run("/usr/bin/yes", "no", limit_s=0.3)
    assert not ended.ok
    assert ended.output == "no"


async def test_one_whose_file_system_hangs_is_not_begun_again_meanwhile(tmp_path: Path) -> None:
    """A FIFO that nobody writes to stands for it: to open it waits."""
    fifo = tmp_path / "program"
    os.mkfifo(fifo, 0o755)
    programs = Programs()
    assert await programs.run([str(fifo)], {}, 0.05) == Ended(False, "took longer than 0.05 s")
    assert await programs.run([str(fifo)], {}, 20) == Ended(False, "is still being started from before")
    assert (await programs.run(["/bin/echo", "others are"], {}, 20)).output == "others are"
    stuck = [thread for thread in threading.enumerate() if thread.name == f"start {fifo}"]
    os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))
    for thread in stuck:
        await trio.to_thread.run_sync(thread.join)
    assert stat.S_ISFIFO(fifo.stat().st_mode)


async def test_nothing_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await sh("echo x")
        await run("/no/such/program")
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (b"", ""),
        (b"\n \n", ""),
        (b"\x1b[31mred\x1b[0m\n", "[31mred [0m"),
        (b"caf\xc3\xa9 \xff\n", "caf\u00e9 \ufffd"),
        (b"x" * 1000, "x" * 200),
    ],
)
def test_the_first_line_is_fit_to_be_shown(output: bytes, line: str) -> None:
    assert first_line(output) == line


async def test_the_next_one_need_not_wait_for_the_thread_that_started_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a program may be over before the thread that has started it is."""
    over, tell = threading.Event(), processes._Start._tell

    def tell_and_linger(self: processes._Start, process: Any) -> None:
        tell(self, process)
        over.wait(60)

    monkeypatch.setattr(processes._Start, "_tell", tell_and_linger)
    programs = Programs()
    try:
        ended = [await programs.run(("/bin/true",), {}, 60) for _ in range(2)]
    finally:
        over.set()
    assert ended == [Ended(True, "exited with status 0")] * 2
