"""What has to be done from inside a host's network namespace without starting a program there."""

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_CLONE_NEWNET = 0x40000000
Result = TypeVar("Result")


def run_in(namespace: Path, action: Callable[[], Result]) -> Result:
    """Do something short in another network namespace; what it raises is raised here.

    A socket stays in the namespace it was made in; a namespace is entered per thread, so one is spent on it.
    """
    results: list[Result] = []
    failures: list[BaseException] = []

    def inside() -> None:
        try:
            _enter(namespace)
            results.append(action())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _enter(namespace: Path) -> None:
    with namespace.open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(namespace))


def set_sysctl(namespace: Path, name: str, value: str) -> None:
    """Write a setting of the network, as `ipv4/ip_default_ttl`. FileNotFoundError: there is none of that name."""
    # What /proc/sys/net shows depends on the namespace of the thread that looks.
    run_in(namespace, lambda: Path("/proc/sys/net", name).write_text(value))
