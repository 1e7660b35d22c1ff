"""Lets the descriptors of a process that is killed be closed before its memory is given back.

The kernel does it the other way round: 40 MB of locked memory keep the peer from its end-of-file for another 8 ms. But
what another thread still uses need not be given back yet. So one thread of the process sleeps for ever, shares the
memory and has no descriptors; the others, which SIGKILL wakes before it, have nothing to give back and close
their descriptors at once. Measured with two packet sockets and a second thread: 0.2 ms instead of 8; on a busy machine
0.3 to 1.5 ms instead of 30 (medians). It is a race: where another thread is the last one after all, one time in six and
on a busy machine up to one in two, it is as it would be without.
"""

import ctypes
import os
import signal
import threading

_CLONE_FILES = 0x400
_STACK_BYTES = 128 * 1024


def prepare_swift_end() -> bool:
    """Start the sleeper, once in the life of a process. False where the kernel does not let it.

    After every other thread: SIGKILL wakes them in the order in which they were started, and the last one pays.
    """
    apart = threading.Event()
    outcome: list[bool] = []
    before = threading.stack_size(_STACK_BYTES)  # locked memory: each thread's stack counts in full
    try:
        threading.Thread(target=_sleep_apart, args=(apart, outcome), name="swift-end", daemon=True).start()
    finally:
        threading.stack_size(before)
    apart.wait()
    return outcome == [True]


def _sleep_apart(apart: threading.Event, outcome: list[bool]) -> None:
    # A signal handler that ran here would write to a descriptor which this thread has not got.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    outcome.append(ctypes.CDLL(None).unshare(_CLONE_FILES) == 0)
    if outcome[0]:
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))
    apart.set()
    if outcome[0]:
        forever = threading.Lock()
        forever.acquire()
        forever.acquire()
