"""Into the lab from outside: say in one line what is missing, or run a program in namespaces of its own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import FrameType

MARK = "HAPAIR_LAB_PID"
"""Set inside the lab: the process id, as the outside sees it, of the lab's first process."""
OUTER_PROC = "HAPAIR_LAB_OUTER_PROC"
"""Names a descriptor of this machine's /proc, through which the lab's first process can read that id."""

TOOLS = {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "setpriv": "util-linux"}
_NAMESPACES = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_AS_ROOT: tuple[str, ...] = ()
_AS_USER = ("--map-root-user",)
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def inside() -> bool:
    """Whether this program already runs in the lab."""
    return MARK in os.environ


def in_user_namespace() -> bool:
    """Whether the lab was made by an ordinary user: its root is nobody's root outside."""
    return Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]


def find_obstacle() -> str | None:
    """Why no lab can be made on this machine and what to do about it, in one line; None where it can."""
    if inside():
        return None
    path = lab_environment()["PATH"]
    missing = sorted({package for tool, package in TOOLS.items() if shutil.which(tool, path=path) is None})
    if missing:
        return f"the lab needs {' and '.join(missing)}: apt-get install {' '.join(missing)}"
    if _identity() is None:
        return "this machine forbids network namespaces here: " + _advice()
    return None


def enter(argv: Sequence[str]) -> int:
    """Run a program in the lab, hand on signals and return its exit status. Call it from the main thread.

    The kernel ties the lab to the thread that starts it, so a SIGKILL of this process ends the lab as well.
    """
    lab = start(argv)
    before = {number: signal.getsignal(number) for number in _FORWARDED}
    try:
        for number in _FORWARDED:
            signal.signal(number, lambda number, frame: _forward(lab.pid, number, frame))
        status = lab.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def start(argv: Sequence[str], *, stdout: int | None = None, stderr: int | None = None) -> subprocess.Popen[bytes]:
    """Start a program in the lab without waiting for it. See `enter` for which thread may call this."""
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    try:
        environment = {**lab_environment(), OUTER_PROC: str(proc)}
        return subprocess.Popen(command(argv), env=environment, pass_fds=[proc], stdout=stdout, stderr=stderr)
    finally:
        os.close(proc)


def command(argv: Sequence[str]) -> list[str]:
    """The command line that runs a program in the lab."""
    identity = _identity()
    if identity is None:
        raise RuntimeError(find_obstacle())
    unshare = ["unshare", *identity, *_NAMESPACES, "--"]
    return ["setpriv", "--pdeathsig", "KILL", "--", *unshare, sys.executable, "-m", "hapair.lab.inside", *argv]


def lab_environment() -> dict[str, str]:
    """This environment with the administrators' folders in PATH: an ordinary user's often lacks them."""
    return {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])}


@cache
def _identity() -> Sequence[str] | None:
    """What unshare must be told about users; None where it refuses whatever it is told."""
    choices = (_AS_ROOT, _AS_USER) if os.geteuid() == 0 else (_AS_USER,)
    return next((choice for choice in choices if _works(choice)), None)


def _works(identity: Sequence[str]) -> bool:
    # A user namespace alone proves little: Ubuntu lets one be made and denies it every capability. A bridge does.
    proof = ["ip", "link", "add", "proof", "type", "bridge"]
    probe = ["unshare", *identity, *_NAMESPACES, "--", *proof]
    result = subprocess.run(probe, check=False, env=lab_environment(), capture_output=True, timeout=10)
    return result.returncode == 0


def _advice() -> str:
    if _sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "run as root, or: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    if _sysctl("kernel/unprivileged_userns_clone") == "0":
        return "run as root, or: sudo sysctl kernel.unprivileged_userns_clone=1"
    if _sysctl("user/max_user_namespaces") == "0":
        return "run as root, or: sudo sysctl user.max_user_namespaces=10000"
    return "run as root, in a container with --privileged"


def _sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return None


def _forward(lab: int, number: int, frame: FrameType | None) -> None:
    # unshare blocks these signals while it waits; they are for its child, the lab's first process.
    for child in Path(f"/proc/{lab}/task/{lab}/children").read_text().split():
        os.kill(int(child), number)
