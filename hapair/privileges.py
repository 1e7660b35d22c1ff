"""What a process may do, and giving it up; real-time scheduling, locked memory. The seam to prctl, capset, mlock."""

import ctypes
import errno
import logging
import os
import resource
import struct
from pathlib import Path

log = logging.getLogger(__name__)

CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK = 10, 12, 13, 14
_NAMES = {CAP_NET_BIND_SERVICE: "CAP_NET_BIND_SERVICE", CAP_NET_ADMIN: "CAP_NET_ADMIN", CAP_NET_RAW: "CAP_NET_RAW"}
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, _PR_CAPBSET_DROP = 38, 47, 4, 24
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
_MCL_CURRENT, _MCL_FUTURE = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


def effective_capabilities() -> int:
    """The bits of CapEff."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def missing_capabilities(needed: tuple[int, ...]) -> list[str]:
    """The names of those of `needed` that this process lacks."""
    have = effective_capabilities()
    return [_NAMES[cap] for cap in needed if not have >> cap & 1]


def drop_all(*, keep: tuple[int, ...] = ()) -> None:
    """Give up every capability but these, and for whatever is started all of them, and the way back to them.

    To be called before any other thread is there: each has its own.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    for cap in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, cap, 0, 0, 0) != 0:
            break  # EINVAL: past the kernel's last; EPERM: without CAP_SETPCAP, where no_new_privs has to do
    header = struct.pack("=Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    kept = sum(1 << cap for cap in keep) & effective_capabilities()
    # Effective, permitted, inheritable: of the lower 32 capabilities, then of the others.
    _check(_libc.capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0)), "capset")


def leave_no_core() -> None:
    """No core file of this process or one that it starts: it would hold keys, and what clients said."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def use_realtime_scheduling(priority: int = 10) -> bool:
    """SCHED_RR, or a better nice value, or neither where the system allows none. True for SCHED_RR.

    Threads that are started later have it too (no SCHED_RESET_ON_FORK): one without it that lost its core while it held
    the interpreter's lock would keep the others waiting.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))
    except PermissionError:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -15)
        except PermissionError:
            log.info("real-time scheduling is not allowed here; adverts may be late under load")
        return False
    return True


def lock_memory() -> bool:
    """Keep this process's memory from being swapped out, where the limit allows it for good."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and not _is_unlimited_by_capability():
        return False  # with a finite limit a later allocation would fail instead
    return bool(_libc.mlockall(_MCL_CURRENT | _MCL_FUTURE) == 0)


def _is_unlimited_by_capability() -> bool:
    """CAP_IPC_LOCK counts only in the first user namespace."""
    own_namespace = Path("/proc/self/uid_map").read_text(encoding="ascii").split() != ["0", "0", "4294967295"]
    return not own_namespace and bool(effective_capabilities() >> CAP_IPC_LOCK & 1)


def _prctl(option: int, argument: int) -> None:
    _check(_libc.prctl(option, argument, 0, 0, 0), "prctl")


def _check(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)} ({errno.errorcode.get(number, number)})")
