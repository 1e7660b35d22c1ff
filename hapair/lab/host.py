"""One machine of the lab: a network namespace, the processes in it, and the ways to hurt them."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import trio

from hapair.lab.addresses import Addresses

NAMES = Path("/run/netns")
_ROUNDS = 200


class Host:
    """A machine with one interface, eth0, whose cable goes to the LAN's bridge."""

    def __init__(self, name: str, address: str, *, addresses: Addresses, folder: Path) -> None:
        self.name = name
        self.address = address
        """Its own IPv4 address, without prefix length."""
        self.addresses = addresses
        self.folder = folder
        """For its files: configuration, logs, runtime folder."""
        self.namespace = NAMES / name
        self._inode = self.namespace.stat().st_ino
        self._children: list[trio.Process] = []

    async def start(
        self,
        argv: Sequence[str],
        *,
        log: str | None = None,
        stdin: int | None = subprocess.DEVNULL,
        stdout: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> trio.Process:
        """Start a program on this host. `log` names a file in its folder that takes its output."""
        with (self.folder / log if log else Path(os.devnull)).open("ab") as output:
            child = await trio.lowlevel.open_process(
                [*self.entering(), *argv],
                stdin=stdin,
                stdout=output if stdout is None else stdout,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the program that owns the lab
                env={**os.environ, **(environment or {})},
            )
        self._children.append(child)
        while child.poll() is None and not self._is_here(str(child.pid)):  # noqa: ASYNC110 - a fraction of a ms
            await trio.sleep(0.0005)
        return child

    def last_started(self) -> trio.Process:
        """The program that was started last."""
        return self._children[-1]

    async def run(self, argv: Sequence[str], *, check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        """Run a program on this host to its end and return what it wrote."""
        return await trio.run_process([*self.entering(), *argv], capture_stdout=True, capture_stderr=True, check=check)

    def entering(self) -> list[str]:
        """What to put before a command line so that it runs on this host, as the same process."""
        return ["nsenter", f"--net={self.namespace}", "--"]

    def processes(self) -> list[int]:
        """Every process of this host, whoever started it; zombies are not counted."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and self._is_here(name)]

    def find(self, *words: str) -> list[int]:
        """The host's processes whose command line has all these words as arguments."""
        return [pid for pid in self.processes() if set(words) <= set(command_line(pid))]

    def terminate(self, *words: str) -> float:
        """SIGTERM the processes with these words in their command line; return when that was."""
        began = time.monotonic()
        _signal(self.find(*words), signal.SIGTERM)
        return began

    def kill(self, *pids: int) -> float:
        """SIGKILL these processes; return when that was. There must be at least one."""
        return self.send_signal(signal.SIGKILL, *pids)

    def send_signal(self, number: signal.Signals, *pids: int) -> float:
        """Send these processes a signal; return when that was. There must be at least one."""
        if not pids:
            raise ValueError(f"no such process runs on {self.name}")
        began = time.monotonic()
        _signal(pids, number)
        return began

    async def first_exit(self) -> None:
        """Wait until one of the programs started here ends."""
        async with trio.open_nursery() as nursery:

            async def wait(child: trio.Process) -> None:
                await child.wait()
                nursery.cancel_scope.cancel()

            for child in self._children:
                nursery.start_soon(wait, child)

    async def kill_all(self) -> float:
        """SIGKILL every process of this host at once, as a power cut would; return when that was.

        They are stopped first: none may run on and see another's death, least of all tell the peer about it.
        """
        began = time.monotonic()
        self.freeze()
        _until_none_is_new(self.processes, signal.SIGKILL)
        await self._reap()
        return began

    def freeze(self) -> float:
        """SIGSTOP every process of this host; return when that was."""
        began = time.monotonic()
        _until_none_is_new(self.processes, signal.SIGSTOP)
        return began

    def thaw(self) -> float:
        """SIGCONT every process of this host; return when that was."""
        began = time.monotonic()
        _signal(self.processes(), signal.SIGCONT)
        return began

    async def unplug(self) -> float:
        """Pull the cable: eth0 loses its carrier. Return when that was."""
        began = time.monotonic()
        await self._cable("down")
        return began

    async def plug(self) -> float:
        """Put the cable back. Return when that was."""
        began = time.monotonic()
        await self._cable("up")
        return began

    async def link(self, *, up: bool) -> float:
        """Set eth0 up or down, as an administrator of this host would. Return when that was."""
        began = time.monotonic()
        await self.run(["ip", "link", "set", "dev", "eth0", "up" if up else "down"])
        return began

    async def blackhole(self, *, on: bool) -> float:
        """Let no frame through in either direction while the carrier stays up. Return when that was."""
        began = time.monotonic()
        await self._cable(*(["nomaster"] if on else ["master", "br0"]))
        return began

    async def _cable(self, *change: str) -> None:
        await trio.run_process(["ip", "-n", "lan", "link", "set", "dev", self.name, *change])

    async def _reap(self) -> None:
        with trio.fail_after(5):
            for child in self._children:
                child.kill()  # one that has gone to another namespace is still this host's
                await child.wait()
            self._children.clear()
            while self.processes():  # noqa: ASYNC110 - orphans: the lab's first process reaps those and tells nobody
                await trio.sleep(0.001)

    def _is_here(self, pid: str) -> bool:
        try:
            return os.stat(f"/proc/{pid}/ns/net").st_ino == self._inode
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False


def command_line(pid: int) -> list[str]:
    """The arguments of a process; none where it is gone."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def parent_of(pid: int) -> int | None:
    """The parent of a process; None where the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1])


def _until_none_is_new(processes: Callable[[], Sequence[int]], number: signal.Signals) -> None:
    # A process may be forking while it is read: go on until a round finds nobody that has not had the signal.
    done: set[int] = set()
    for _ in range(_ROUNDS):
        found = set(processes()) - done
        if not found:
            return
        _signal(sorted(found), number)
        done |= found
    raise RuntimeError(f"processes keep appearing faster than {number.name} reaches them")


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
